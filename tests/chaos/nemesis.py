"""The nemesis: what goes wrong with a cluster of real processes, all of it chosen by a seed.

What lives here: faults, when they strike, and that each of them ends. What does not: what has to hold all the same
(run.py). Faults overlap as they come: a server may be cut off, then stopped, then killed before it ever goes on.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import permutations
from math import inf

from attrs import define

from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until
from transport.errors import QuorateError

ACTORS = ("persistence", "links", "gossip", "raft", "reconciler", "gateway", "http")
CALM_S = (0.1, 1.2)
"""Between two faults."""

AWAY_S = (0.1, 3.0)
CUT_S = (0.5, 4.0)
LEADER_SHARE = 0.6
"""How often a fault is meant for the leader, where there is one."""

ONE_WAY_SHARE = 0.4
"""How often a link loses only what goes one way."""


@define(order=False)
class _Mend:
    due: float
    what: str
    act: Callable[[], None]


class Nemesis:
    """Strikes a cluster. strikes: how often each kind of fault was done. story: a line for each, with its time.

    late_s: by how much it woke up too late at most; then the whole machine stood still, or had too much to do.
    """

    def __init__(self, cluster: Cluster, rng: random.Random, clock: Callable[[], float]) -> None:
        self.strikes: Counter[str] = Counter()
        self.story: list[str] = []
        self.late_s = 0.0
        self._cluster = cluster
        self._rng = rng
        self._clock = clock
        self._mends: list[_Mend] = []
        self._killed: set[Server] = set()
        self._paused: set[Server] = set()
        self._kinds: dict[Callable[[], None], int] = {
            self._kill: 4,
            self._pause: 4,
            self._cut: 3,
            self._isolate: 5,
            self._kill_actor: 3,
            self._transfer: 2,
            self._snapshot: 2,
            self._kill_all: 1,
        }

    def run(self, seconds: float) -> None:
        """Strike for so long. Raises AssertionError when a server ends that was not killed."""
        until = self._clock() + seconds
        while self._clock() < until:
            strike = min(self._clock() + self._rng.uniform(*CALM_S), until)
            while (now := self._clock()) < strike:
                due = min([mend.due for mend in self._mends], default=strike)
                # What is waited for here is the schedule's time itself.
                time.sleep(max(0.0, min(strike, due) - now))
                self.late_s = max(self.late_s, self._clock() - max(now, min(strike, due)))
                self._mend(until_s=self._clock())
            self._see_who_ended()
            (kind,) = self._rng.choices(list(self._kinds), list(self._kinds.values()))
            kind()

    def end(self) -> None:
        """Undo everything that is not undone yet."""
        self._mend(until_s=inf)
        self._see_who_ended()
        for server in self._cluster.servers:
            # What was started a moment ago does not listen yet.
            wait_until(f"{server} mends its links", partial(self._mended, server))
        self._note("all healed")

    @staticmethod
    def _mended(server: Server) -> bool:
        server.ask("fault.heal")
        return True

    # --- faults -----------------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        if server := self._victim(self._alive()):
            self._end(server)
            self.strikes["kills"] += 1

    def _kill_all(self) -> None:
        for server in self._alive():
            self._end(server)
        self.strikes["power cuts"] += 1

    def _end(self, server: Server) -> None:
        self._note(f"kill {server}")
        server.kill()
        self._killed.add(server)
        self._paused.discard(server)
        self._later(AWAY_S, f"start {server}", lambda: self._start(server))

    def _start(self, server: Server) -> None:
        server.start()
        self._killed.discard(server)

    def _pause(self) -> None:
        if server := self._victim(self._awake()):
            self._note(f"stop {server}")
            server.pause()
            self._paused.add(server)
            self.strikes["pauses"] += 1
            self._later(AWAY_S, f"go on with {server}", lambda: self._resume(server))

    def _resume(self, server: Server) -> None:
        # It may have been killed meanwhile, and even run again.
        if server in self._paused:
            server.resume()
            self._paused.discard(server)

    def _cut(self) -> None:
        """One link, both ways or one way."""
        pairs = list(permutations(self._awake(), 2))
        if pairs:
            one, other = self._rng.choice(pairs)
            self._sever([(one, other)], one_way=self._rng.random() < ONE_WAY_SHARE)

    def _isolate(self) -> None:
        """All links of one server: it hears nobody, nobody hears it, or both."""
        if server := self._victim(self._awake()):
            others = [other for other in self._awake() if other is not server]
            is_deaf, one_way = self._rng.random() < 0.5, self._rng.random() < ONE_WAY_SHARE
            self._sever([(other, server) if is_deaf else (server, other) for other in others], one_way=one_way)

    def _sever(self, links: Sequence[tuple[Server, Server]], *, one_way: bool) -> None:
        arrow = "->" if one_way else "<->"
        with self._trying(f"cut {', '.join(f'{one} {arrow} {other}' for one, other in links)}"):
            for one, other in links:
                self._cluster.cut(one, other, one_way=one_way)
        self.strikes["one-way cuts" if one_way else "cuts"] += 1
        self._later(CUT_S, "heal", self._heal)

    def _heal(self) -> None:
        for server in self._awake():
            with self._trying(f"heal {server}"):
                server.ask("fault.heal")

    def _kill_actor(self) -> None:
        server, actor = self._victim(self._awake()), self._rng.choice(ACTORS)
        if server:
            with self._trying(f"kill the actor {actor} of {server}"):
                server.ask("actors.kill", {"target": f"{actor}@{server.actor(actor)['incarnation']}"})
                self.strikes["actor kills"] += 1

    def _transfer(self) -> None:
        awake = self._awake()
        if awake:
            through, target = self._rng.choice(awake), self._rng.choice(self._cluster.servers)
            with self._trying(f"hand the lead to {target}"):
                through.ask("raft.transfer", {"name": target.name})
                self.strikes["transfers"] += 1

    def _snapshot(self) -> None:
        """No fault, but what starts or lags next does so from a snapshot, with the log before it cut off."""
        if server := self._victim(self._awake()):
            with self._trying(f"snapshot of {server}"):
                server.ask("raft.snapshot")
                self.strikes["snapshots"] += 1

    # --- the schedule -----------------------------------------------------------------------------------------------

    def _later(self, after_s: tuple[float, float], what: str, act: Callable[[], None]) -> None:
        self._mends.append(_Mend(self._clock() + self._rng.uniform(*after_s), what, act))

    def _mend(self, until_s: float) -> None:
        due = sorted((mend for mend in self._mends if mend.due <= until_s), key=lambda mend: mend.due)
        self._mends = [mend for mend in self._mends if mend.due > until_s]
        for mend in due:
            self._note(mend.what)
            mend.act()

    def _see_who_ended(self) -> None:
        ended = [server for server in self._alive() if not server.is_running]
        assert not ended, f"ended by themselves: {', '.join(f'{server} with {server.wait_exit()}' for server in ended)}"

    # --- victims ----------------------------------------------------------------------------------------------------

    def _alive(self) -> list[Server]:
        return [server for server in self._cluster.servers if server not in self._killed]

    def _awake(self) -> list[Server]:
        return [server for server in self._alive() if server not in self._paused]

    def _victim(self, among: Sequence[Server]) -> Server | None:
        if not among:
            return None
        chosen = self._rng.choice(among)
        if self._rng.random() < LEADER_SHARE:
            said = {server: server.look() or {} for server in among if server not in self._paused}
            return next((server for server in said if said[server].get("role") == "leader"), chosen)
        return chosen

    @contextmanager
    def _trying(self, what: str) -> Iterator[None]:
        """Do what a server may refuse, or have no time for, since it is in trouble already."""
        try:
            yield
            self._note(what)
        except QuorateError as error:
            self._note(f"{what}: {error}")

    def _note(self, what: str) -> None:
        self.story.append(f"{self._clock():8.3f} s  {what}")
