"""The simulation: several servers and their clients under one clock, one network and one seed.

A run has two parts.  First, in the storm, everything goes wrong that schedule.py has drawn, on a network that loses,
repeats and delays (network.py).  Then the network heals, every server runs, and within QUIET_S everybody agrees again
and serves.  The judge looks on all the time.  Everything follows from the seed, each part from a stream of its own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final
from unittest import mock

from actors.gateway.messages import Forward, Forwarded
from actors.gossip.member import Status
from actors.raft import leader as leader_module
from actors.raft.configuration import Server
from actors.runtime.actor import Sender
from storage import chunk_stream
from tests.linearizability.checker import Answer, check
from tests.linearizability.history import History
from tests.linearizability.models import Register
from tests.linearizability.operation import Operation
from tests.linearizability.report import report
from tests.simulation.agreement import Member, leader_of, members_of, why_not_agreed, why_not_the_same
from tests.simulation.clients import SimClient
from tests.simulation.clock import START_S, Clock
from tests.simulation.disk import NEVER_S
from tests.simulation.faults import Faults
from tests.simulation.founding import guarded_processes
from tests.simulation.gossip import SimGossip
from tests.simulation.guarded import NOBODY, GuardedProcess
from tests.simulation.holding import HOLDERS, SimHolder, has_holders
from tests.simulation.holding import verdict_on as verdict_on_holders
from tests.simulation.invariants import Invariant, violated
from tests.simulation.judge import Judge
from tests.simulation.lease_book import LeaseBook
from tests.simulation.ledger import Ledger
from tests.simulation.process import Process
from tests.simulation.prudence import Prudence
from tests.simulation.raw import raw_processes
from tests.simulation.raw_clients import RawClient
from tests.simulation.raw_engine import NoPoller
from tests.simulation.schedule import schedule
from tests.simulation.trace import SILENT, Trace
from tests.simulation.watching import RANGES, SimWatcher, verdict_on
from tests.simulation.weather import Weather, network_of
from transport.client.protocol import Request, Response
from transport.wire import decode_body, encode_body, kind_of

QUIET_S: Final = 20.0
STEADY_S: Final = 3.0
"""For how long nobody may call an election once all agree; by then every lease has ended."""
SERVE_S: Final = 6.0
"""Within which every member answers a write and a read then, be it that it first gets a snapshot for them."""

READS_A_SECOND: Final = 20.0
CHECKER_STEPS: Final = 200_000
_PROBE: Final = b"probe"


class Simulation:
    """One run.  ``counts``: what was injected, and what came of it, by kind."""

    def __init__(self, seed: int, trace: Trace = SILENT, *, guard: bool = True) -> None:
        self.seed = seed
        self.trace = trace
        self.counts: Counter[str] = Counter()
        self.clock = Clock()
        self.weather = Weather.of(self._stream("weather"))
        self.network = network_of(self._stream("network"), self.counts)
        self.rng = self._stream("servers")
        self.judge = Judge(is_strict=guard, ledger=Ledger(leases=LeaseBook(lambda: self.clock.now)))
        self.disk_s = self.weather.disk_s
        self.is_stormy = True
        self.history: list[Operation] = []
        self.engine_clock = 0.0, 1.0
        """Offset and rate of the clock that the engine reads."""
        self._operations = 0
        self._moves = 0
        self._answers: Counter[str] = Counter()
        ids = [f"s{number}" for number in range(self.weather.voters + self.weather.spares)]
        self._addresses = {id_: f"10.0.0.{id_[1:]}:7946" for id_ in ids}
        self.counts["clock: skew and drift"] = len(ids)
        make_processes = guarded_processes if guard else raw_processes
        self.processes = make_processes(self, ids, self._stream("clocks"))
        self.servers: dict[str, Member] = {process.id: process.server for process in self.processes.values()}
        self.prudence = Prudence(self)
        self.gossip = SimGossip(self, ids)
        watched = [process for process in self.processes.values() if isinstance(process, GuardedProcess)]
        self.watchers = [SimWatcher(self, number, watched) for number in range(len(RANGES) if guard else 0)]
        holders = [SimHolder(self, number, watched) for number in range(HOLDERS if guard and has_holders(seed) else 0)]
        self.holders = {holder.sender.routing_id: holder for holder in holders}
        make_client = SimClient if guard else RawClient
        self.clients: list[SimClient | RawClient] = [make_client(self, n) for n in range(self.weather.clients)]

    def _stream(self, part: str) -> random.Random:
        return random.Random(f"{self.seed}/{part}")

    # --- a run ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """The whole story.  Raises Violation, or whatever the product raises when it breaks."""
        with self.virtual_world():
            self._storm()
            self._calm()
            self._check_history()
            self._check_locks()
            self._check_watches()

    @property
    def elapsed_s(self) -> float:
        """How long it has been running, in simulated seconds."""
        return self.clock.now - START_S

    def digest(self) -> int:
        """A number that two runs share only if they made the same choices; the run cannot go on after it."""
        return self.rng.getrandbits(64) ^ self.clock.count

    def count(self, kind: str) -> None:
        """Something of this kind has happened."""
        self.counts[kind] += 1

    @contextmanager
    def virtual_world(self) -> Iterator[None]:
        """Give the engine this clock and these numbers, and let limits be small enough to matter in a short run."""
        with ExitStack() as stack:
            stack.enter_context(mock.patch("pysyncobj.syncobj.monotonicTime", self._monotonic_time))
            stack.enter_context(mock.patch("pysyncobj.syncobj.random", self._stream("engine")))
            stack.enter_context(mock.patch("pysyncobj.syncobj.createPoller", return_value=NoPoller()))
            stack.enter_context(mock.patch.object(leader_module, "WINDOW_MESSAGES", self.weather.window_messages))
            stack.enter_context(mock.patch.object(leader_module, "BATCH_BYTES", self.weather.batch_bytes))
            stack.enter_context(mock.patch.object(chunk_stream, "SNAPSHOT_CHUNK_BYTES_MAX", self.weather.chunk_bytes))
            yield

    def _monotonic_time(self) -> float:
        offset_s, rate = self.engine_clock
        return offset_s + rate * self.clock.now

    def _storm(self) -> None:
        faults = Faults(self)
        for process in self.processes.values():
            process.start()
        for client in self.clients:
            client.start()
        for watcher in self.watchers:
            watcher.start()
        for holder in self.holders.values():
            holder.start()
        self._read(self._stream("reader"))
        for strike in schedule(self._stream("faults"), self.weather):
            self.clock.later(strike.at_s, partial(faults.strike, strike))
        self.clock.run_until(START_S + self.weather.storm_s)

    def _read(self, rng: random.Random) -> None:
        """Somebody reads everywhere, half of the time where a server takes itself for the leader, rightly or not."""
        if self.is_stormy:
            leaders = self.leaders()
            processes = leaders if leaders and rng.random() < 0.5 else list(self.processes.values())
            process = rng.choice(processes)
            process.do(partial(process.glance, NOBODY))
            self.clock.later(rng.expovariate(READS_A_SECOND), partial(self._read, rng))

    def _calm(self) -> None:
        self.is_stormy = False
        self.network.heal()
        self.gossip.heal()
        self.disk_s = min(self.disk_s, 0.002)
        for disk in self.judge.disks.values():
            disk.refuses_until, disk.breaks_sync = NEVER_S, None
        for process in self.processes.values():
            process.resume()
            self.start(process)
            self.gossip.announce(process.id, Status.ALIVE)
        clock, deadline = self.clock, self.clock.now + QUIET_S
        # A transfer that was begun in the storm may still come true, or is given up; and a late message of the storm
        # may hold up a lane for longer than an election takes.
        clock.run_until(max(clock.now + 1.5 * self.weather.timing.election_max_s, self.network.drained_at))
        while (why := why_not_agreed(self.servers)) and clock.now < deadline:
            clock.run_until(clock.now + 0.25)
        if why:
            violated(Invariant.CONVERGENCE, f"no agreement after {QUIET_S:g} quiet seconds: {why}")
        self._serve_everywhere()
        self.judge.ledger.final(leader_of(self.servers).applied)

    def _serve_everywhere(self) -> None:
        """Every member takes a write and answers a read, all hold the same, and nobody calls an election."""
        leader = leader_of(self.servers)
        term = leader.term
        self.clock.run_until(self.clock.now + STEADY_S)
        if not leader.leads or leader.term != term:
            violated(Invariant.CONVERGENCE, f"{leader.id} lost term {term} in the calm")
        if lasting := self.judge.ledger.leases.lasting:
            violated(Invariant.CONVERGENCE, f"leases that nobody renews have not ended: {lasting}")
        members = [member.id for member in members_of(self.servers, leader)]
        for id_ in members:
            self.processes[id_].probe(Sender("", "", "", 0, routing_id=_PROBE))
        deadline = self.clock.now + SERVE_S
        while self.clock.now < deadline and (
            why_not_agreed(self.servers) or any(self._answers[id_] < self.processes[id_].PROBES for id_ in members)
        ):
            self.clock.run_until(self.clock.now + 0.05)
        for id_ in members:
            if self._answers[id_] != self.processes[id_].PROBES:
                violated(
                    Invariant.CONVERGENCE, f"{id_} has not served {SERVE_S:g} s later: {self._answers[id_]} answers"
                )
        if why := why_not_agreed(self.servers):
            violated(Invariant.CONVERGENCE, f"no agreement after the last writes: {why}")
        if others := why_not_the_same(self.servers):
            violated(Invariant.STATE_MACHINE_SAFETY, f"{others} and {leader.id} differ in the end")

    def _check_history(self) -> None:
        history = History(self.history)
        verdict = check(history, Register(), CHECKER_STEPS)
        self.counts["history: " + verdict.answer.value] += 1
        if verdict.answer is Answer.NO:
            violated(Invariant.LINEARIZABLE, report(history, Register(), verdict, CHECKER_STEPS))

    def _check_watches(self) -> None:
        revisions = self.judge.ledger.revisions
        last, deadline = max(revisions), self.clock.now + SERVE_S
        while self.clock.now < deadline and any(watcher.until < last for watcher in self.watchers):
            self.clock.run_until(self.clock.now + 0.05)
        if late := [watcher.until for watcher in self.watchers if watcher.until < last]:
            violated(Invariant.CONVERGENCE, f"watchers were told up to {late}, and the last revision is {last}")
        if self.watchers and (verdict := verdict_on(self.watchers, revisions)).violations:
            violated(Invariant.WATCHES, str(verdict))

    def _check_locks(self) -> None:
        holders = list(self.holders.values())
        if holders and (verdict := verdict_on_holders(holders, self.judge.ledger)).violations:
            violated(Invariant.LOCKS, str(verdict))

    # --- servers --------------------------------------------------------------------------------------------------

    def sync_s(self) -> float:
        """How long the next sync of a disk takes; a few take very long."""
        return self.rng.uniform(0.0, self.disk_s) * (10.0 if self.rng.random() < 0.02 else 1.0)

    def leaders(self) -> list[Process]:
        """Processes that run and believe that they lead."""
        return [process for process in self.processes.values() if process.is_up and process.leads]

    def address_of(self, id_: str) -> str:
        """Where a server listens."""
        return self._addresses[id_]

    def listed(self, id_: str) -> Server:
        """A server as a configuration lists it, without a vote."""
        return Server(id_, f"name-{id_}", self._addresses[id_], voter=False)

    def move(self, id_: str) -> None:
        """A server listens somewhere else from now on, and gossip says so."""
        self._moves += 1
        self._addresses[id_] = f"10.0.{self._moves}.{id_[1:]}:7946"
        self.gossip.move(id_)

    def start(self, process: Process) -> None:
        """A process that is down is started again."""
        if not process.is_alive:
            process.start()

    def crash(self, process: Process, kept: int, *, is_torn: bool) -> None:
        """A process dies: connections break, its port refuses new ones, and gossip finds out."""
        if not process.is_alive:
            return
        process.crash(kept, is_torn=is_torn)
        for client in self.clients:
            self.clock.later(self.rng.uniform(0.0, 0.1), partial(client.lose, process.id))
        for other in self.processes.values():
            if other is not process and self.rng.random() < 0.6:
                self.clock.later(self.rng.uniform(0.001, 0.2), partial(self._refuse, process, other))

    def _refuse(self, dead: Process, other: Process) -> None:
        if not dead.is_alive and not self.network.are_apart(dead.id, other.id):
            other.do(partial(other.peer_gone, dead.id))
            self.gossip.refused(other.id, dead.id)

    # --- messages between servers ---------------------------------------------------------------------------------

    def post(self, source: str, target: str, message: object) -> None:
        """Send a message to a server by its id."""
        if target not in self.processes:
            return
        if (
            self.weather.uses_codec
            and not isinstance(message, dict)
            and decode_body(kind_of(message), encode_body(message)) != message
        ):
            raise AssertionError(f"{message} does not survive the wire")
        # A command that is handed on twice would be applied twice; links see to it that none is.
        at_most_once = _hands_on(message)
        for at in self.network.arrivals(self.clock.now, source, target, message, at_most_once=at_most_once):
            self.clock.later(at - self.clock.now, partial(self._deliver, source, target, message))

    def post_to(self, source: str, address: str, message: object) -> bool:
        """Send a message to the server at an address; says whether there is one that runs."""
        target = next((id_ for id_, known in self._addresses.items() if known == address), None)
        if target is None or not self.processes[target].is_alive:
            return False
        self.post(source, target, message)
        return True

    def _deliver(self, source: str, target: str, message: object) -> None:
        process = self.processes[target]
        if not process.is_alive:
            # A frame may wait in a queue for the next process at this address.
            if self.rng.random() < 0.3:
                self.clock.later(0.2, partial(self._deliver, source, target, message))
            return
        if self.trace.is_on:
            self.trace.note(self.clock.now, f"{source} -> {target} {message}")
        process.do(partial(process.receive, source, message))

    # --- clients --------------------------------------------------------------------------------------------------

    def new_operation(self) -> int:
        """The number of a client's next operation."""
        self._operations += 1
        return self._operations

    def ask(self, client: SimClient, server_id: str, request: Request) -> bool:
        """A client's frame leaves; says whether there is a connection."""
        process = self.processes[server_id]
        if not process.is_alive or not isinstance(process, GuardedProcess):
            return False
        delay_s = self.network.between()
        if delay_s is not None:
            process.later(delay_s, partial(process.request, client.sender, request))
        return True

    def answer(self, source: str, sender: Sender, response: Response) -> None:
        """An answer leaves for a client."""
        if sender is NOBODY:
            return
        if sender.routing_id == _PROBE:
            self._answers[source] += response.code == "ok"
            return
        if holder := self.holders.get(sender.routing_id):
            holder.answered(response)
            return
        delay_s = self.network.between()
        if delay_s is not None:
            self.clock.later(delay_s, partial(self.clients[sender.ask].hear, response))


def _hands_on(message: object) -> bool:
    """Whether it carries commands of clients from a server to its leader, or their results back."""
    if isinstance(message, dict):
        return str(message["type"]).startswith("apply_command")
    return isinstance(message, Forward | Forwarded)
