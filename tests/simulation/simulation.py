"""The simulation: several Raft cores under one clock, one network and one seed.

A run has two parts.  First everything goes wrong: messages are lost, repeated, late and out of order; links are cut in
one direction; servers crash, lose what they had not written, and come back; they are paused; leadership is handed over;
servers join, get a vote, lose it and are removed; snapshots cut logs.  Then the network heals, every server runs, and
within QUIET_S everybody agrees again.  The judge looks on all the time.  Everything follows from the seed.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from unittest import mock

from actors.raft import leader as leader_module
from actors.raft.configuration import Configuration
from storage.raft_db import SnapshotSave
from tests.simulation.agreement import leader_of, members_of, why_not_agreed
from tests.simulation.disk import SimDisk
from tests.simulation.faults import Faults, listed
from tests.simulation.judge import Judge, require
from tests.simulation.server import SimServer
from tests.simulation.trace import SILENT, Trace
from tests.simulation.weather import Weather, network_of
from transport.wire import decode_body, encode_body, kind_of

START_S: Final = 10.0
QUIET_S: Final = 20.0
STEADY_S: Final = 3.0
"""For how long nobody may call an election once all agree."""

_TICK_SLACK_S: Final = 1e-6
_DISK_RETRY_S: Final = 0.25


class Simulation:
    """One run.  ``faults`` counts what was injected, by kind."""

    def __init__(self, seed: int, trace: Trace = SILENT) -> None:
        self.seed = seed
        self.trace = trace
        self.faults: Counter[str] = Counter()
        self.rng = random.Random(seed)
        self.weather = Weather.of(self.rng)
        self.network = network_of(self.rng, self.faults)
        self.timing = self.weather.timing
        self.now = START_S
        self.judge = Judge()
        self.disk_s = self.weather.disk_s
        self.is_stormy = True
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._values = 0
        self._ticks: dict[str, float] = {}
        self._turns: set[str] = set()
        self._disks: dict[str, float] = {}
        self.servers = self._make_servers()
        self.judge.disks = {server.id: server.disk for server in self.servers.values()}

    # --- a run ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """The whole story.  Raises Violation, or whatever the product raises when it breaks."""
        with self.virtual_time():
            self._storm()
            self._calm()

    @property
    def elapsed_s(self) -> float:
        """How long it has been running, in simulated seconds."""
        return self.now - START_S

    def digest(self) -> int:
        """A number that two runs share only if they made the same choices; the run cannot go on after it."""
        return self.rng.getrandbits(64) ^ self._count

    @contextmanager
    def virtual_time(self) -> Iterator[None]:
        """Have the engine read the simulation's clock."""
        with (
            mock.patch("pysyncobj.syncobj.monotonicTime", self._monotonic_time),
            mock.patch.object(leader_module, "WINDOW_MESSAGES", self.weather.window_messages),
        ):
            yield

    def _monotonic_time(self) -> float:
        return self.now

    def _storm(self) -> None:
        for server in self.servers.values():
            self.restart(server)
        self.later(0.01, self._propose)
        self.later(0.02, self._read)
        self.later(0.3, Faults(self).strike)
        self.run_until(self.now + self.weather.storm_s)

    def _calm(self) -> None:
        self.is_stormy = False
        self.network.heal()
        self.disk_s = min(self.disk_s, 0.002)
        for server in self.servers.values():
            server.refuses_until = 0.0
            self.resume(server)
            self.restart(server)
        deadline = self.now + QUIET_S
        # A transfer that was begun in the storm may still come true, or is given up.
        self.run_until(self.now + 1.5 * self.timing.election_max_s)
        while (why := why_not_agreed(self.servers)) and self.now < deadline:
            self.run_until(self.now + 0.25)
        require(not why, f"no agreement after {QUIET_S} quiet seconds: {why}")
        self._serve_everywhere()
        self.judge.final(leader_of(self.servers).values)

    def _serve_everywhere(self) -> None:
        """The cluster serves: a command is applied and every member can read; and nobody calls an election."""
        leader = leader_of(self.servers)
        term = leader.core.state.engine.term
        self.run_until(self.now + STEADY_S)
        require(leader.leads and leader.core.state.engine.term == term, f"{leader.id} lost term {term} in the calm")
        before = len(leader.values)
        require(leader.propose(self.now, b"last"), "the leader takes no command in the calm")
        members = members_of(self.servers, leader)
        answered = [server.reads_answered for server in members]
        for server in members:
            server.read(self.now)
            self.wake(server)
        self.run_until(self.now + 1.0)
        for server, count in zip(members, answered, strict=True):
            require(len(server.values) == before + 1, f"{server.id} has not applied the last command")
            require(server.reads_answered == count + 1, f"{server.id} has not answered the last read")

    # --- time -----------------------------------------------------------------------------------------------------

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._events, (self.now + delay_s, self._count, action))

    def run_until(self, time: float) -> None:
        """Let everything happen up to a time."""
        while self._events and self._events[0][0] <= time:
            at, _, action = heapq.heappop(self._events)
            self.now = max(self.now, at)
            action()
        self.now = time

    # --- servers --------------------------------------------------------------------------------------------------

    def _make_servers(self) -> dict[str, SimServer]:
        weather, rng = self.weather, self.rng
        ids = [f"s{number}" for number in range(weather.voters + weather.spares)]
        first = Configuration(tuple(listed(id_, voter=True) for id_ in ids[: weather.voters]))
        servers = {}
        for position, id_ in enumerate(ids):
            disk = SimDisk(id_)
            if position < weather.voters and not weather.is_founded:
                disk.snapshot = SnapshotSave(1, 0, first.encode(), [], 1, 0, discard_log=False)
            server = SimServer(id_, disk, self.judge, self.timing, rng.uniform(0.0, 1e4), rng.uniform(0.95, 1.05))
            server.founds = first if position == 0 and weather.is_founded else None
            servers[id_] = server
        return servers

    def leaders(self) -> list[SimServer]:
        """Servers that run and believe that they lead."""
        return [server for server in self.servers.values() if server.is_up and server.leads]

    def restart(self, server: SimServer) -> None:
        """A server that is down starts with what its disk holds."""
        if server.running is None:
            server.start(self.now, self.rng.getrandbits(32))
            self._ticks.pop(server.id, None)
            self.wake(server)

    def crash(self, server: SimServer) -> None:
        """A server dies, with what was on its way to its disk, and comes back."""
        self.faults["crash"] += 1
        if server.disk.on_its_way:
            self.faults["crash: writes lost"] += 1
        server.crash(self.rng.choice((0, 0, 1, 99)))
        self._turns.discard(server.id)
        self.later(self.rng.choice((0.05, 0.5, 2.0)), partial(self.restart, server))

    def resume(self, server: SimServer) -> None:
        """A paused server goes on, and finds what came meanwhile."""
        if server.is_paused and server.running is not None:
            server.is_paused = False
            backlog, server.backlog = server.backlog, []
            if self.is_stormy:
                # The first that it sees of the world may be a client, long before it hears who leads now.
                server.read(self.now)
                self._turn(server, server.incarnation)
            if self.rng.random() < 0.5:
                server.core.tick(server.clock(self.now))
            for action in backlog:
                action()
            self.wake(server)

    def _do(self, server: SimServer, incarnation: int, action: Callable[[], None]) -> None:
        """Let something happen to a server, or to its backlog while it is paused."""
        if server.running is None or server.incarnation != incarnation:
            return
        if server.is_paused:
            server.backlog.append(action)
        else:
            action()
            self.wake(server)

    def wake(self, server: SimServer) -> None:
        """Have a turn, at once or a little later, so that several events share one."""
        if server.id in self._turns:
            return
        delay = self.rng.uniform(0.0, self.weather.turn_s) if self.rng.random() < 0.5 else 0.0
        self._turns.add(server.id)
        self.later(delay, partial(self._turn, server, server.incarnation))

    def _turn(self, server: SimServer, incarnation: int) -> None:
        if server.incarnation != incarnation:
            return
        self._turns.discard(server.id)
        if not server.is_up:
            return
        for peer, message in server.turn(self.weather.entries_max):
            self._send(server.id, peer, message)
        self._write(server)
        self._arm(server)
        applied = server.core.applied_index
        if applied >= server.snapshot_due:
            server.snapshot_due = applied + self.weather.snapshot_every
            server.snapshot(self.now, self.weather.tail)
        if server.has_more:
            self.wake(server)

    # --- the disk, the timer, the network ---------------------------------------------------------------------------

    def _write(self, server: SimServer) -> None:
        if server.disk.on_its_way and self._disks.get(server.id, 0.0) <= self.now:
            took = self.rng.uniform(0.0, 1.0) * self.disk_s * (10.0 if self.rng.random() < 0.02 else 1.0)
            self._disks[server.id] = self.now + took + 1e-7
            self.later(took, partial(self._written, server, server.incarnation))

    def _written(self, server: SimServer, incarnation: int) -> None:
        self._disks[server.id] = 0.0
        if server.incarnation != incarnation or not server.disk.on_its_way:
            return
        if self.now < server.refuses_until:
            self._do(server, incarnation, lambda: server.core.halt(server.clock(self.now)))
            self._disks[server.id] = self.now + _DISK_RETRY_S + 1e-7
            self.later(_DISK_RETRY_S, partial(self._written, server, incarnation))
            return
        sequence = server.disk.complete()
        self._do(server, incarnation, lambda: server.written(self.now, sequence))
        self._write(server)

    def _arm(self, server: SimServer) -> None:
        deadline = server.core.next_deadline()
        at = max(self.now, (deadline - server.offset_s) / server.rate) + _TICK_SLACK_S
        if at < self._ticks.get(server.id, float("inf")):
            self._ticks[server.id] = at
            self.later(at - self.now, partial(self._tick, server, server.incarnation, at))

    def _tick(self, server: SimServer, incarnation: int, at: float) -> None:
        if server.incarnation != incarnation or self._ticks.get(server.id) != at:
            return
        del self._ticks[server.id]
        self._do(server, incarnation, lambda: server.core.tick(server.clock(self.now)))

    def _send(self, source: str, target: str, message: object) -> None:
        if self.weather.uses_codec:
            again = decode_body(kind_of(message), encode_body(message))
            require(again == message, f"{message} does not survive the wire")
        for at in self.network.arrivals(self.now, source, target, message):
            self.later(at - self.now, partial(self._deliver, source, target, message))

    def _deliver(self, source: str, target: str, message: object) -> None:
        server = self.servers[target]
        if server.running is None:
            # A frame may wait in a queue for the next process at this address.
            if self.rng.random() < 0.3:
                self.later(0.2, partial(self._deliver, source, target, message))
            return
        if self.trace.is_on:
            self.trace.note(self.now, f"{source} -> {target} {message}")
        self._do(server, server.incarnation, lambda: server.core.receive(server.clock(self.now), source, message))

    # --- clients --------------------------------------------------------------------------------------------------

    def _propose(self) -> None:
        if not self.is_stormy:
            return
        leaders = self.leaders()
        if leaders:
            server = self.rng.choice(leaders)
            for _ in range(self.rng.choice((1, 1, 1, 2, 8))):
                self._values += 1
                server.propose(self.now, b"v%d" % self._values)
            self.wake(server)
        self.later(self.rng.expovariate(30.0), self._propose)

    def _read(self) -> None:
        if not self.is_stormy:
            return
        # Half of them where somebody believes to lead, rightly or not.
        leaders = self.leaders()
        server = self.rng.choice(leaders if leaders and self.rng.random() < 0.5 else list(self.servers.values()))
        if server.is_up:
            server.read(self.now)
            self.wake(server)
        self.later(self.rng.expovariate(30.0), self._read)
