"""Watches in a simulated cluster: the real core of a server's watches, and watchers that go from server to server.

What lives here: when watchers ask and hear, and what becomes of the core's effects, in virtual time. What does not: the
core (actors/gateway/watches.py), and what has to hold of what watchers are told (tests/histories).

All of it has random numbers of its own and asks no turn of Raft's actor, so that everything else happens as it would
without watchers.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import cycle, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from attrs import evolve

from actors.gateway.effects import Answer
from actors.gateway.limits import GatewayLimits
from actors.gateway.watches import WATCH, Watches
from actors.raft.messages import Follow, Read
from actors.runtime.actor import Sender
from storage.kv_protocol import Changes, Failed, decode_result, watch
from tests.histories.verdict import Verdict, judge
from tests.histories.watch_history import BOOKMARK, COMPACTED, UPDATE, WRITE
from tests.histories.watch_history import WATCH as BEGUN
from tests.linearizability.history import History
from tests.linearizability.operation import Operation, Outcome, Value
from transport.client.protocol import Code, Request, Response, decode_payload, encode_payload

if TYPE_CHECKING:
    from tests.simulation.guarded import GuardedProcess
    from tests.simulation.simulation import Simulation

_LIMITS: Final = GatewayLimits()
RANGES: Final = (("", True), ("", True), ("k1", True), ("k0", False))
"""What the watchers watch: everything, a prefix, a key."""
WAIT_S: Final = 0.5
"""How long a question may wait at a server."""
SILENCE_S: Final = 1.0
"""How long a watcher waits for an answer before it asks somebody else."""
DELAY_MAX_S: Final = 0.05
LOST_SHARE: Final = 0.02
LEAVES_SHARE: Final = 0.2
"""How often a watcher goes to another server although it was answered."""
AT_SOME_TIME: Final = 0.0, 1e12
"""When a change was made is told by its revision alone."""


class SimWatches:
    """One life's watches (actors/gateway/gateway.py). Raft's actor answers a little later, in order."""

    def __init__(self, process: GuardedProcess) -> None:
        self._process = process
        self._simulation = process.simulation
        self._core = Watches(_LIMITS, first_key=0)
        self._rng = random.Random(f"{process.simulation.seed}/watches/{process.id}/{process.life}")
        self._followed: int | None = None
        self._mail: deque[Read | Follow] = deque()
        self._is_ticking = False

    def request(self, sender: Sender, request: Request) -> None:
        """A watcher asks."""
        self._core.request(self._process.local_now(), sender, request)
        self._flush()

    def raft_died(self) -> None:
        """This server's Raft died, and with it the answers it owed."""
        self._followed = None
        self._core.raft_died()
        self._flush()

    def applied(self, index: int) -> None:
        """This server's Raft has applied entries up to here."""
        if self._followed is not None and index > self._followed:
            self._followed = None
            self._core.stirred(index)
            self._flush()

    def _flush(self) -> None:
        for effect in self._core.flush():
            if isinstance(effect, Answer):
                self._simulation.watchers[effect.sender.ask].answered(effect.response)
            else:
                self._mail.append(effect)
                self._process.later(self._rng.uniform(0.0, DELAY_MAX_S), self._take)
        if self._core.count and not self._is_ticking:
            self._is_ticking = True
            self._process.later(_LIMITS.tick_s, self._tick)

    def _take(self) -> None:
        """Raft's actor takes the first of its mail; where there is none, that waits for the next."""
        server = self._process.server
        if server.running is None:
            self._process.later(DELAY_MAX_S, self._take)
            return
        message = self._mail.popleft()
        if isinstance(message, Follow):
            self._followed = message.applied
            self.applied(server.applier.applied)
        else:
            self._core.results([(key, Code.OK, server.applier.machine.read(query)) for key, query, _ in message.batch])
            self._flush()

    def _tick(self) -> None:
        self._is_ticking = False
        self._core.tick(self._process.local_now())
        self._flush()


class SimWatcher:
    """Asks what comes next, of one server after the other; until: up to here it was told everything."""

    def __init__(self, simulation: Simulation, number: int, processes: list[GuardedProcess]) -> None:
        self._simulation = simulation
        self._servers = cycle(processes[number:] + processes[:number])
        self._rng = random.Random(f"{simulation.seed}/watcher/{number}")
        self._name = f"w{number}"
        self._sender = Sender("", "", "", number, routing_id=self._name.encode())
        self._key, self._is_prefix = RANGES[number]
        self._server = next(self._servers)
        self._asked = 0
        self.until = 0
        self.told: list[Operation] = [self._event(BEGUN, self._is_prefix, 0)]

    def start(self) -> None:
        """Begin to ask, and never end."""
        self._simulation.clock.later(self._rng.uniform(0.0, 0.5), self._ask)

    def answered(self, response: Response) -> None:
        """An answer leaves a server."""
        if not self._is_lost():
            self._simulation.clock.later(self._rng.uniform(0.0, DELAY_MAX_S), partial(self._hear, response))

    def _ask(self) -> None:
        self._asked += 1
        query = encode_payload(watch(self._key, self.until, is_prefix=self._is_prefix))
        request = Request(self._asked, WATCH, query, round(WAIT_S * 1000))
        if not self._is_lost():
            asks = partial(self._server.request, self._sender, request)
            self._server.later(self._rng.uniform(0.0, DELAY_MAX_S), asks)
        self._simulation.clock.later(SILENCE_S, partial(self._give_up, self._asked))

    def _is_lost(self) -> bool:
        """Whether a message gets lost; in the calm none does, as in the network of the servers."""
        return self._rng.random() < LOST_SHARE and self._simulation.is_stormy

    def _give_up(self, asked: int) -> None:
        if asked == self._asked:
            self._simulation.count("watch: asked elsewhere after silence")
            self._server = next(self._servers)
            self._ask()

    def _hear(self, response: Response) -> None:
        if response.id != self._asked:
            return
        if response.code == Code.OK:
            answer = decode_result(decode_payload(response.payload))
            assert isinstance(answer, Changes | Failed), answer
            self._note(answer)
        # In the end everybody is asked: a server that has left is told nothing any more.
        if response.code != Code.OK or not self._simulation.is_stormy or self._rng.random() < LEAVES_SHARE:
            self._server = next(self._servers)
        self._ask()

    def _note(self, answer: Changes | Failed) -> None:
        if isinstance(answer, Failed):
            # Somebody who begins anew there has read the keys as they are.
            self._simulation.count("watch: compacted")
            self.until = answer.revision
            self.told += [self._event(COMPACTED, answer.revision), self._event(BEGUN, self._is_prefix, self.until)]
            return
        for revision, changes in groupby(answer.changes, key=attrgetter("revision")):
            self._simulation.count("watch: update")
            self.told.append(self._event(UPDATE, revision, *_pairs((one.key, one.value) for one in changes)))
        self.told.append(self._event(BOOKMARK, answer.revision))
        self.until = answer.revision

    def _event(self, function: str, *arguments: Value) -> Operation:
        now = self._simulation.clock.now
        return Operation(0, self._name, self._key, function, arguments, Outcome.OK, None, now, now)


def verdict_on(watchers: Sequence[SimWatcher], revisions: Mapping[int, Mapping[str, bytes | None]]) -> Verdict:
    """Hold what watchers were told against what was changed; revisions: by revision the keys with their new values."""
    writes = [
        Operation(0, "log", "", WRITE, tuple(_pairs(changes.items())), Outcome.OK, revision, *AT_SOME_TIME)
        for revision, changes in revisions.items()
    ]
    operations = [*writes, *(one for watcher in watchers for one in watcher.told)]
    return judge(History(evolve(one, number=number) for number, one in enumerate(operations, start=1)))


def _pairs(changes: Iterable[tuple[str, bytes | None]]) -> Iterable[Value]:
    for key, value in changes:
        yield key
        yield None if value is None else value.decode()
