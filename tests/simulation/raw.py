"""One simulated process with the raw engine in it: what `--guard off` runs.

The raw engine meets the same weather, network and faults as the product, and the same judge, who holds it to the claims
of Raft alone (figure 3 of the paper, and that a healed cluster converges).  What is left out is what it lacks: disks
that refuse, snapshots, sessions, reads through the log, standbys, demotion.  What it has is its own: elections, append
handling, commits, forwarding, transfers, membership.  Its own loop logs an exception and forgets it, and so it is here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from actors.gossip.member import Status
from actors.raft.configuration import Configuration
from actors.runtime.actor import Sender
from storage.kv_protocol import put
from storage.log_table import Entry
from tests.simulation.judge import Seen
from tests.simulation.process import Process
from tests.simulation.raw_engine import Image, Message, RawEngine, SimJournal
from transport.client.protocol import Response

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

TICK_S: Final = 0.05
"""PySyncObj's autoTickPeriod; whatever arrives cuts it short."""
CONNECT_S: Final = 0.1
PASS_EVERY_S: Final = 0.5
_GONE: Final = frozenset({Status.LEAVING, Status.LEFT})


class RawProcess(Process):
    """A process of one server; ``partners``: those its command line names, None until it is asked to join."""

    PROBES = 1

    def __init__(self, simulation: Simulation, id_: str, partners: list[str] | None, rng: random.Random) -> None:
        super().__init__(simulation, id_)
        self.seen = Seen()
        self._partners = partners
        self._offset_s, self._rate = rng.uniform(0.0, 1e4), rng.uniform(0.95, 1.05)
        self._rng = simulation.rng
        self._journal = SimJournal(self._save)
        self._saved = Image()
        self._is_dirty = self._is_saving = False
        self._engine: RawEngine | None = None
        self._applied = 1
        self._outbox: list[tuple[str, Message]] = []
        self._tick_due = False

    # --- its life -------------------------------------------------------------------------------------------------

    @property
    def server(self) -> RawProcess:
        """What the judge sees."""
        return self

    @property
    def is_up(self) -> bool:
        """Whether its engine runs and is not paused."""
        return self._engine is not None and not self.is_paused

    def start(self) -> None:
        """Begin with what the journal holds."""
        self.begin_life()
        if self._partners is not None:
            self._start_engine(self._partners)

    def crash(self, kept: int, *, is_torn: bool) -> None:
        """Die.  Either everything in the journal is on the disk by now, or what was on its way there is lost."""
        if not self.is_alive:
            return
        if kept:
            self._saved = self._journal.image()
        elif self._is_dirty or self._is_saving:
            self.simulation.count("crash: writes lost")
        self._stop_engine()
        self.end_life()
        self._is_dirty = self._is_saving = False
        self._journal.restore(self._saved)

    def _save(self) -> None:
        """The journal has changed: in its own time the system writes it to the disk, as fast as a sync would."""
        self._is_dirty = True
        if not self._is_saving:
            self._is_dirty, self._is_saving = False, True
            took_s = self.simulation.sync_s()
            self.writing(took_s)
            self.later(took_s, partial(self._saved_as, self._journal.image()))

    def _saved_as(self, image: Image) -> None:
        self._saved, self._is_saving = image, False
        if self._is_dirty:
            self._save()

    def restart_raft(self, delay_s: float) -> None:
        """The engine is built anew from its journal."""
        if self._engine is not None and self._partners is not None:
            self._stop_engine()
            self.later(delay_s, partial(self._start_engine, self._partners))

    def join(self, partners: list[str]) -> None:
        """Its operator starts it with these partners."""
        if self._partners is None:
            self._partners = partners
            self.do(partial(self._start_engine, partners))

    def resumed(self) -> None:
        """It goes on with a tick."""
        self._wake()

    def _start_engine(self, partners: list[str]) -> None:
        with mock.patch("pysyncobj.syncobj.createJournal", return_value=self._journal):
            self._as_running(partial(self._build, partners))
        self.seen = Seen(term=self.term)
        self._applied = 1
        self._tick_due = False
        for other in self._engine_or_fail().member_ids:
            self._link(other, True)
        self._tell_peers()
        self._tick_later()
        self.later(PASS_EVERY_S, self._look)

    def _build(self, partners: list[str]) -> None:
        timing = self.simulation.weather.timing
        others = [other for other in partners if other != self.id]
        self._engine = RawEngine(self.id, others, timing, self._collect, self._link)

    def _stop_engine(self) -> None:
        self._engine = None
        self._tell_peers()

    def _engine_or_fail(self) -> RawEngine:
        assert self._engine is not None
        return self._engine

    # --- connections ----------------------------------------------------------------------------------------------

    def _link(self, other_id: str, is_wanted: bool) -> None:
        """The engine wants a connection to a peer, or no more."""
        self.later(self._rng.uniform(0.0, CONNECT_S), partial(self._connect, other_id, is_wanted))

    def _connect(self, other_id: str, is_wanted: bool) -> None:
        """A connection is there when both run."""
        other = self.simulation.processes.get(other_id)
        if self._engine is not None and isinstance(other, RawProcess) and other is not self:
            is_up = is_wanted and other._engine is not None
            self._do(partial(self._engine.connect, other_id, is_up=is_up))

    def _tell_peers(self) -> None:
        """Who had a connection to this server has none any more, or can have one now."""
        for other in self.simulation.processes.values():
            if isinstance(other, RawProcess) and other is not self and self.id in other.members():
                other._link(self.id, True)

    def receive(self, source: str, message: object) -> None:
        """A message of another server arrives."""
        if self._engine is not None:
            assert isinstance(message, dict)
            self._do(partial(self._engine.hear, source, message))
            self._wake()

    def _collect(self, peer: str, message: Message) -> None:
        self._outbox.append((peer, message))

    # --- its loop -------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """The engine's poller has returned: the next tick comes at once, or when the rest of the turn is over."""
        if not self._tick_due:
            self._tick_due = True
            self.later(self._rng.uniform(0.0, self.simulation.weather.turn_s), self._tick_now)

    def _tick_later(self) -> None:
        self.later(TICK_S / self._rate, partial(self._tick_at_last, self._engine))

    def _tick_at_last(self, engine: RawEngine | None) -> None:
        if engine is self._engine and engine is not None:
            self._tick_now()
            self._tick_later()

    def _tick_now(self) -> None:
        self._tick_due = False
        if self._engine is not None:
            self._do(self._engine.doTick)

    def _do(self, action: Callable[[], Any]) -> None:
        """Let the engine do something, send what it wants to send, and have the judge look."""
        try:
            self._as_running(action)
        except Exception:  # its own loop logs it and goes on
            self.simulation.count("engine: exception forgotten")
        outbox, self._outbox = self._outbox, []
        # The engine's sets have no order; what goes to one peer has.
        for peer, message in sorted(outbox, key=lambda item: item[0]):
            self.simulation.post(self.id, peer, message)
        self._note_applied()
        self.simulation.judge.turned(self)

    def _as_running(self, action: Callable[[], Any]) -> None:
        """The engine reads this server's clock."""
        self.simulation.engine_clock = self._offset_s, self._rate
        action()

    def _note_applied(self) -> None:
        engine, ledger = self._engine_or_fail(), self.simulation.judge.ledger
        log = self.log
        for index in range(self._applied + 1, engine.raftLastApplied + 1):
            position = index - log[0][1]
            if 0 < position < len(log):
                ledger.applied(self.id, log[position], tuple(engine.effects.get(index, ())))
        self._applied = engine.raftLastApplied

    # --- membership -----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """As an operator with gossip's view would: one wish a pass, of a leader."""
        simulation = self.simulation
        if self._engine is None:
            return
        if self.leads and simulation.weather.is_reconciled:
            members = self._engine.member_ids
            for member in simulation.gossip.seen_by(self.id):
                if member.status == Status.ALIVE and member.id not in members:
                    self.change("add_standby", member.id)
                    break
                if member.status in _GONE and member.id in members and member.id != self.id:
                    self.change("remove", member.id)
                    break
        self.later(PASS_EVERY_S, self._look)

    def change(self, kind: str, id_: str) -> bool:
        """Add or take out a server; a newcomer is started with the members as its partners."""
        engine = self._engine
        if engine is None or kind not in ("add_standby", "remove"):
            return False
        if kind == "remove":
            self._do(partial(engine.removeNodeFromCluster, id_))
        else:
            self._do(partial(engine.addNodeToCluster, id_))
            newcomer = self.simulation.processes[id_]
            assert isinstance(newcomer, RawProcess)
            newcomer.join(engine.member_ids)
        self._wake()
        return True

    def members(self) -> dict[str, bool]:
        """Everybody votes."""
        return dict.fromkeys(self._engine.member_ids, True) if self._engine else {}

    def has_taken_out(self, id_: str) -> bool:
        """As far as a leader knows."""
        return self.leads and id_ not in self.members()

    def transfer(self, target: str) -> None:
        """Hand leadership over, if it leads and the target has everything."""
        if self._engine is not None and self.is_up:
            self._do(partial(self._engine.transferLeadership, target or None))

    def peer_gone(self, peer: str) -> None:
        """It knows no such evidence."""

    def member_changed(self, address: str, *, is_gone: bool) -> None:
        """Looks every now and then."""

    # --- clients --------------------------------------------------------------------------------------------------

    def propose(self, command: bytes, answer: Callable[[bytes | None], None]) -> None:
        """A client's command."""
        if self._engine is not None:
            self._do(partial(self._engine.propose, command, answer))
            self._wake()

    def glance(self, sender: Sender) -> None:
        """It knows no linearizable reads."""

    def probe(self, sender: Sender) -> None:
        """A write."""
        command = put("probe", f"{self.id} {self.simulation.clock.count}".encode())
        self.do(partial(self.propose, command, partial(self._probed, sender)))

    def _probed(self, sender: Sender, result: bytes | None) -> None:
        if result is not None:
            self.simulation.answer(self.id, sender, Response(1, "ok", b""))

    # --- what the judge sees --------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        return self._engine is not None and self._engine._isLeader()

    @property
    def term(self) -> int:
        """Its current term."""
        return self._engine.raftCurrentTerm if self._engine else 0

    @property
    def commit(self) -> int:
        """Its commit index."""
        return self._engine_or_fail().raftCommitIndex

    @property
    def applied(self) -> int:
        """The last entry that it has applied."""
        return self._engine_or_fail().raftLastApplied

    @property
    def log(self) -> list[Entry]:
        """A copy of its log."""
        return self._engine_or_fail().log

    @property
    def configuration(self) -> Configuration:
        """Its members, all of whom vote."""
        return Configuration(tuple(self.simulation.listed(id_) for id_ in self._engine_or_fail().member_ids))

    @property
    def configuration_index(self) -> int:
        """It has none."""
        return 0

    @property
    def is_running(self) -> bool:
        """Whether its engine runs."""
        return self._engine is not None

    @property
    def believed_leader(self) -> str | None:
        """Whom it follows."""
        leader = self._engine_or_fail()._getLeader()
        return leader.id if leader else None

    def state(self) -> bytes:
        """Its whole replicated state."""
        return b"".join(self._engine_or_fail().store.snapshot())


def raw_processes(simulation: Simulation, ids: list[str], rng: random.Random) -> dict[str, Process]:
    """A process for each server."""
    weather = simulation.weather
    voters = ids[: weather.voters]
    return {id_: RawProcess(simulation, id_, voters if id_ in voters else None, rng) for id_ in ids}
