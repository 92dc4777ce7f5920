"""One simulated process of the product: the raft actor's turns, its disk, the gateway and the reconciler around it.

What lives here: when the real parts of a server hear something, and what becomes of their effects, in virtual time.
What does not: the raft actor's turn (server.py), the order of writes (persistence.py), what goes wrong (faults.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from actors.gateway.calls import PROPOSE, READ
from actors.gateway.messages import Forward, Forwarded
from actors.raft.attesting import sort_out
from actors.raft.disk import RETRY_S, Disk
from actors.raft.journal import RestoredLog
from actors.raft.messages import Configure, LeaderChanged, Propose, Read, Results, SnapshotChunk
from actors.runtime.actor import Sender
from storage.kv_protocol import get, put
from storage.raft_messages import RaftLoad, RaftWritten, SnapshotRead, SnapshotSave
from tests.simulation.gateway import SimGateway
from tests.simulation.persistence import ChunkRead, SimPersistence
from tests.simulation.process import Process
from tests.simulation.reconciling import Reconciling
from tests.simulation.server import FrozenState, SimServer, filled
from transport.client.protocol import LINEARIZABLE, Request, encode_payload

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

PROBE_TIMEOUT_MS: Final = 5_500
GLANCE_TIMEOUT_MS: Final = 300
NOBODY: Final = Sender("", "", "", 0)
"""Who waits for no answer."""
_GLANCE: Final = encode_payload([[get("k0")], LINEARIZABLE])
_TICK_SLACK_S: Final = 1e-6


class GuardedProcess(Process):
    """A process of one server."""

    PROBES = 2

    def __init__(self, simulation: Simulation, server: SimServer) -> None:
        super().__init__(simulation, server.id)
        self._server = server
        self._rng: random.Random = simulation.rng
        self._raft_incarnation = 0
        self._turn_due = False
        self._tick_at = inf
        self._is_freezing = False
        self._snapshot_due = 0
        self._reported: LeaderChanged | None = None
        self._persistence: SimPersistence
        self._disk: Disk
        self._gateway: SimGateway
        self._reconciling: Reconciling
        server.restore, server.fetch = self._begin_restore, self._fetch

    # --- its life -------------------------------------------------------------------------------------------------

    @property
    def server(self) -> SimServer:
        """The server, which outlives the process."""
        return self._server

    @property
    def is_up(self) -> bool:
        """Whether its raft actor runs and is not paused."""
        return self.server.running is not None and not self.is_paused

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        return self.server.leads

    def local_now(self) -> float:
        """What its own clock shows."""
        return self.server.clock(self.simulation.clock.now)

    def start(self) -> None:
        """Begin with what the disk holds."""
        self.begin_life()
        self._persistence = SimPersistence(
            self.server.disk,
            lambda: self.simulation.clock.now,
            self._sync,
            self._hear_disk,
            self._loaded,
            self._sync_failed,
        )
        self._gateway = SimGateway(self)
        self._reconciling = Reconciling(self)
        self._start_raft()

    def crash(self, kept: int, *, is_torn: bool) -> None:
        """Die; of the writes on their way the first ``kept`` are on disk, and the next may be there in part."""
        if not self.is_alive:
            return
        lost = self._persistence.crash(kept)
        if lost:
            self.simulation.count("crash: writes lost")
        if lost and is_torn:
            # SQLite finds no commit at the end of what is there of it, and takes nothing (see disk.py).
            self.simulation.count("crash: torn write")
        self._stop_raft()
        self.end_life()

    def restart_raft(self, delay_s: float) -> None:
        """The raft actor alone ends, and is started again; its mailbox and the disk's go on."""
        if self.server.running is None:
            return
        self._stop_raft()
        self._gateway.raft_died()
        self.later(delay_s, self._start_raft)

    def _stop_raft(self) -> None:
        if self.server.running is not None:
            self.server.stop()
        self._raft_incarnation += 1

    def _start_raft(self) -> None:
        self._raft_incarnation += 1
        self._tick_at = inf
        self._turn_due = self._is_freezing = False
        self._reported = None
        self._persistence.tell(RaftLoad(self._raft_incarnation))

    def _loaded(self, load: RaftLoad, restored: RestoredLog) -> None:
        if load.incarnation != self._raft_incarnation:
            return
        self.server.start(self.simulation.clock.now, self._rng.getrandbits(32), restored)
        self._disk = Disk(load.incarnation, self._persistence.tell)
        self.server.submit = self._disk.write
        self._snapshot_due = 0
        self.wake()

    def resumed(self) -> None:
        """Before it hears what came meanwhile: a client may be first, long before it hears who leads now."""
        if self.is_up:
            self.glance(NOBODY)
            self._turn()
            if self._rng.random() < 0.5:
                self.server.conduct.tick(self.local_now())
            self.wake()

    # --- the turn -------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Have a turn, at once or a little later, so that several events share one."""
        if not self._turn_due:
            self._turn_due = True
            delay = self._rng.uniform(0.0, self.simulation.weather.turn_s) if self._rng.random() < 0.5 else 0.0
            self._later_for_raft(delay, self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        server, simulation = self.server, self.simulation
        now = simulation.clock.now
        self._mind_disk()
        for peer, message in server.turn(now, simulation.weather.entries_max):
            simulation.post(self.id, peer, message)
        self._answer()
        self._gateway.applied(server.applier.applied)
        self._report()
        self._arm()
        if server.applier.applied >= self._snapshot_due:
            self._snapshot_due = server.applier.applied + simulation.weather.snapshot_every
            self.take_snapshot(simulation.weather.tail)
        if server.has_more:
            self.wake()

    def _mind_disk(self) -> None:
        core = self.server.core
        self.server.is_disk_stuck = bool(self._disk.error)
        if self._disk.error and not core.is_halted:
            core.halt(self.local_now())
            self._later_for_raft(RETRY_S, self._retry_disk)
        elif core.is_halted and not self._disk.error:
            core.resume(self.local_now())

    def _answer(self) -> None:
        answers = self.server.take_answers()
        if answers:
            self._gateway.results(Results(answers, self.server.applier.applied, 0))

    def _report(self) -> None:
        core, simulation = self.server.core, self.simulation
        leader = core.state.leader or ""
        is_me = leader == self.id
        address = simulation.address_of(leader) if leader else ""
        changed = LeaderChanged(core.state.engine.term, leader, address, is_me, is_me and core.leader.is_established)
        if changed != self._reported:
            self._reported = changed
            self._gateway.leader_changed(changed)
            if is_me and not changed.ready and simulation.weather.is_eager:
                self.change(self._rng.choice(("add_standby", "promote")), self._rng.choice(list(simulation.processes)))
            self._reconciling.leader_changed(changed)

    def _arm(self) -> None:
        server, now = self.server, self.simulation.clock.now
        at = max(now, (server.next_deadline(now) - server.offset_s) / server.rate) + _TICK_SLACK_S
        if at < self._tick_at:
            self._tick_at = at
            self._later_for_raft(at - now, partial(self._tick, at))

    def _tick(self, at: float) -> None:
        if self._tick_at == at:
            self._tick_at = inf
            self.server.conduct.tick(self.local_now())
            self.wake()

    def _later_for_raft(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something later, unless the raft actor has ended by then."""
        self.later(delay_s, partial(self._for_raft, self._raft_incarnation, action))

    def _for_raft(self, incarnation: int, action: Callable[[], None]) -> None:
        if self._raft_incarnation == incarnation and self.server.running is not None:
            action()

    # --- the disk -------------------------------------------------------------------------------------------------

    def _sync(self, done: Callable[[], None]) -> None:
        took_s = self.simulation.sync_s()
        self.writing(took_s)
        self.later(took_s, done)

    def _hear_disk(self, answer: RaftWritten) -> None:
        if self.server.running is None or not self.is_alive:
            return
        sequence = self._disk.on_written(answer)
        if sequence is not None:
            self.server.written(self.simulation.clock.now, sequence)
        self.wake()

    def _retry_disk(self) -> None:
        self._disk.retry()
        if self._disk.error:
            self._later_for_raft(RETRY_S, self._retry_disk)
        self.wake()

    def _sync_failed(self) -> None:
        """Persistence has ended, and every actor behind it is started again with it."""
        self.simulation.count("sync failed")
        self._stop_raft()
        self._gateway.raft_died()
        self._start_raft()

    # --- snapshots ------------------------------------------------------------------------------------------------

    def take_snapshot(self, tail: int) -> None:
        """Begin a snapshot, unless one is in the making; what is applied meanwhile is not in it."""
        view = None if self._is_freezing else self.server.freeze()
        if view is not None:
            self._is_freezing = True
            delay_s = self._rng.choice((0.0, 0.0, 0.05, 0.3))
            self._later_for_raft(delay_s, partial(self._save_snapshot, view, tail))

    def _save_snapshot(self, view: FrozenState, tail: int) -> None:
        self._is_freezing = False
        self.server.save(self.simulation.clock.now, view, list(view.chunks), tail)
        self.simulation.count("snapshot taken")
        self.wake()

    def _fetch(self, peer: str, chunk: SnapshotChunk) -> None:
        sent = partial(self._for_raft, self._raft_incarnation)
        self._persistence.tell(
            ChunkRead(
                SnapshotRead(chunk.index, chunk.offset), lambda data: sent(partial(self._post, peer, chunk, data))
            )
        )

    def _post(self, peer: str, chunk: SnapshotChunk, data: bytes | None) -> None:
        if data is not None:
            self.simulation.post(self.id, peer, filled(chunk, data))

    def _begin_restore(self, snapshot: SnapshotSave) -> None:
        self._later_for_raft(self._rng.choice((0.0, 0.01, 0.2)), partial(self._finish_restore, snapshot))

    def _finish_restore(self, snapshot: SnapshotSave) -> None:
        try:
            self.server.finish_restore(snapshot)
        except LookupError:
            # The newer one is restored next (actors/raft/restoring.py).
            self.simulation.count("restore overtaken")
            self.server.is_restoring = False
        else:
            self.simulation.count("snapshot restored" + (", a leader's" if snapshot.received else ""))
        self.wake()

    # --- from other servers ---------------------------------------------------------------------------------------

    def receive(self, source: str, message: object) -> None:
        """A message of another server arrives."""
        if isinstance(message, Forward | Forwarded):
            self._gateway.receive(source, message)
        elif self.server.running is not None:
            self.server.conduct.receive(self.local_now(), source, message)
            self.wake()

    def peer_gone(self, peer: str) -> None:
        """The port of a peer has refused a connection."""
        if self.is_up and self.server.core.state.leader == peer:
            self.server.conduct.peer_gone(self.local_now(), peer)
            self.simulation.count("refused connection heard of")
            self.wake()

    def member_changed(self, address: str, *, is_gone: bool) -> None:
        """Gossip has news."""
        if self.is_alive:
            if is_gone:
                self._gateway.server_gone(address)
            self._reconciling.wake()

    # --- operators ------------------------------------------------------------------------------------------------

    def transfer(self, target: str) -> None:
        """Hand leadership over, if it leads."""
        if self.is_up:
            self.server.conduct.transfer(self.local_now(), target)
            self.wake()

    def abdicate(self) -> None:
        """Lead no longer."""
        if self.is_up:
            self.server.core.abdicate(self.local_now())
            self.wake()

    def configure(self, change: Configure) -> str:
        """Change the configuration, if it leads and may; returns "" or why not."""
        if not self.is_up:
            return "it is not up"
        reason = self.server.core.configure(self.local_now(), change)
        if not reason:
            self.simulation.count(f"configuration: {change.kind.replace('_', ' ')}")
        self.wake()
        return reason

    def change(self, kind: str, id_: str) -> bool:
        """As an operator wants it."""
        if self.is_up:
            base = self.server.configuration_index
            self.configure(Configure(kind, base, id_, f"name-{id_}", self.simulation.address_of(id_)))
        return self.is_up

    def members(self) -> dict[str, bool]:
        """The servers of its configuration, and whether they vote."""
        return {one.id: one.voter for one in self.server.configuration.servers} if self.is_up else {}

    def has_taken_out(self, id_: str) -> bool:
        """What a leaving server asks others for (actors/leaving.py)."""
        server = self.server
        is_settled = self.is_up and server.core.leader.is_established and server.configuration_index <= server.commit
        return is_settled and server.configuration.get(id_) is None

    # --- clients --------------------------------------------------------------------------------------------------

    def request(self, sender: Sender, request: Request) -> None:
        """A client asks."""
        self._gateway.request(sender, request)

    def from_gateway(self, message: Propose | Read) -> None:
        """The gateway hands on what clients ask."""
        if self.server.running is None:
            return  # whoever waits for the answer hears that Raft has died
        if isinstance(message, Propose):
            self.server.commands.extend(message.batch)
        else:
            linearizable = sort_out(message, self.server.core, self.server.applier)
            if linearizable:
                self.server.read(self.simulation.clock.now, linearizable)
        self.wake()

    def glance(self, sender: Sender) -> None:
        """Somebody reads here."""
        self.request(sender, Request(3, READ, _GLANCE, GLANCE_TIMEOUT_MS))

    def probe(self, sender: Sender) -> None:
        """A write and a linearizable read."""
        command = put("probe", f"{self.id} {self.simulation.clock.count}".encode())
        self.request(sender, Request(1, PROPOSE, encode_payload([command]), PROBE_TIMEOUT_MS))
        self.request(sender, Request(2, READ, encode_payload([[get("probe")], LINEARIZABLE]), PROBE_TIMEOUT_MS))
