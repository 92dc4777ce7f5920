"""One simulated server below its gateway: the real Raft core, applier, sessions and store over a simulated disk.

It does what the raft actor does in one turn, in the same order (actors/raft/turn.py), and nothing else: when it has a
turn, and what becomes of its writes and messages, is its driver's (guarded.py; in stories, tests/unit/raft/stage.py).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from attrs import define, field
from msgspec.structs import replace

from actors.config import RaftTiming
from actors.raft.applier import Answer, Applier, Query
from actors.raft.configuration import Configuration
from actors.raft.core import RaftCore
from actors.raft.entries import time_of
from actors.raft.journal import RestoredLog, Write
from actors.raft.log_clock import LogClock
from actors.raft.messages import SnapshotChunk
from actors.raft.snapshotting import TAIL_BYTES_MAX
from actors.raft.turn import Turn
from storage.kv import KeyValueStore
from storage.kv_protocol import Changed, encode
from storage.leases import Lease
from storage.log_table import Entry
from storage.raft_messages import SnapshotSave
from storage.sessions import SessionLimits, SessionMachine
from storage.state_machine import StateMachine
from tests.simulation.conduct import Conduct
from tests.simulation.disk import SimDisk
from tests.simulation.invariants import Invariant, violated
from tests.simulation.judge import Judge, Seen
from tests.simulation.ledger import ENDED, Effect


class WatchedStore(KeyValueStore):
    """The key-value store, which notes the commands that reach it and their results, and the leases that end."""

    def __init__(self, effects: list[Effect]) -> None:
        super().__init__()
        self._effects = effects

    def apply(self, command: bytes) -> bytes:
        """The result of a command, encoded."""
        result = super().apply(command)
        self._effects.append((command, result))
        return result

    def _end(self, lease: Lease) -> None:
        super()._end(lease)
        self._effects.append((encode([ENDED, lease.id]), encode(Changed(self.revision))))


def sessions_of(limits: SessionLimits) -> Callable[[list[Effect]], StateMachine]:
    """Makes the state machine of a product's server, with other limits."""
    return lambda effects: SessionMachine(WatchedStore(effects), limits)


@define
class FrozenState:
    """A snapshot in the making."""

    index: int
    term: int | None
    configuration: bytes
    chunks: Iterable[bytes]


@define(eq=False)
class SimServer:
    """A server, running or not."""

    id: str
    disk: SimDisk
    judge: Judge
    timing: RaftTiming
    make_machine: Callable[[list[Effect]], StateMachine]
    offset_s: float = 0.0
    rate: float = 1.0
    """Its clock shows ``offset_s + rate * time``."""
    founds: Configuration | None = None
    """What a cluster begins with that this server founds when its disk is empty."""
    running: RaftCore | None = None
    incarnation: int = 0
    seen: Seen = field(factory=Seen)
    effects: list[Effect] = field(factory=list)
    """What the state machine did since the last look."""
    applier: Applier = field(init=False)
    log_clock: LogClock = field(init=False)
    conduct: Conduct = field(init=False)
    """Watches over the single steps of the core that is running, for who drives it through this."""
    submit: Callable[[Write], None] = field(init=False)
    """Takes a write on its way to the disk."""
    fetch: Callable[[str, SnapshotChunk], None] = field(init=False)
    """Has a chunk for a peer read and sent."""
    restore: Callable[[SnapshotSave], None] = field(init=False)
    """Has a snapshot restored, by ``finish_restore``, now or later."""
    commands: list[tuple[int, bytes]] = field(factory=list)
    """What is to be proposed in the next turn."""
    queries: dict[int, Sequence[Query]] = field(factory=dict)
    """By token: what waits for its index."""
    floors: dict[int, int] = field(factory=dict)
    """By key of a linearizable query: what was known when it arrived."""
    is_restoring: bool = False
    is_disk_stuck: bool = False
    applies_later: bool = False
    """Whether it put applying off in its last turn."""
    last_token: int = 0

    def __attrs_post_init__(self) -> None:
        self.applier = Applier(self.make_machine(self.effects))
        self.submit = self.disk.submit
        self.fetch = self._keep_back
        self.restore = self.finish_restore

    # --- what the judge sees --------------------------------------------------------------------------------------

    @property
    def core(self) -> RaftCore:
        """The core of a server that runs."""
        assert self.running is not None
        return self.running

    @property
    def term(self) -> int:
        """Its current term."""
        return self.core.state.engine.term

    @property
    def commit(self) -> int:
        """Its commit index."""
        return self.core.state.engine.commit

    @property
    def applied(self) -> int:
        """What the state machine has applied, or was restored to."""
        return self.applier.applied

    @property
    def leads(self) -> bool:
        """Whether it runs and believes that it leads."""
        return self.running is not None and self.running.state.engine.is_leader

    @property
    def log(self) -> list[Entry]:
        """A copy of the log, anchor first."""
        return self.core.state.journal[:]

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self.core.state.configuration

    @property
    def configuration_index(self) -> int:
        """The index of the configuration in force."""
        return self.core.state.configurations.latest_index

    @property
    def is_running(self) -> bool:
        """Whether its raft actor runs."""
        return self.running is not None

    @property
    def believed_leader(self) -> str | None:
        """Whom it follows."""
        return self.core.state.leader

    def state(self) -> bytes:
        """Its whole replicated state."""
        return b"".join(self.applier.machine.snapshot())

    # --- its life -------------------------------------------------------------------------------------------------

    def clock(self, now: float) -> float:
        """What its own clock shows."""
        return self.offset_s + self.rate * now

    def start(self, now: float, seed: int, restored: RestoredLog | None = None) -> None:
        """Begin with what the disk holds and nothing else."""
        self.incarnation += 1
        self.effects.clear()
        self.applier = Applier(self.make_machine(self.effects))
        self.commands, self.queries, self.floors = [], {}, {}
        self.is_restoring = self.is_disk_stuck = self.applies_later = False
        self.seen = Seen(term=self.disk.state.term)
        restored = restored or self.disk.load()
        self.running = RaftCore(self.id, restored, self.timing, random.Random(seed), self.clock(now))
        self.conduct = Conduct(self.running)
        self.log_clock = LogClock(self.running, self.applier)
        if self.founds is not None and restored.snapshot is None and not restored.entries:
            self.running.found(self.clock(now), self.founds)

    def stop(self) -> None:
        """Everything in memory is gone."""
        self.running = None
        self.judge.crashed(self.id, self.disk.state.term)

    def written(self, now: float, sequence: int) -> None:
        """A write is on disk."""
        self.core.written(self.clock(now), sequence)

    # --- clients --------------------------------------------------------------------------------------------------

    def read(self, now: float, queries: Sequence[Query]) -> None:
        """Clients' linearizable queries, which share a token."""
        self.last_token += 1
        self.queries[self.last_token] = queries
        for key, _ in queries:
            self.floors[key] = self.judge.ledger.floor
        self.core.read(self.clock(now), self.last_token)

    def take_answers(self) -> list[Answer]:
        """Answers to commands and queries by their keys."""
        return self.applier.take_answers()

    # --- snapshots ------------------------------------------------------------------------------------------------

    def freeze(self) -> FrozenState | None:
        """Begin a snapshot of what is applied, unless there is nothing new."""
        state, index = self.core.state, self.applier.applied
        last = state.snapshot
        if self.is_restoring or index != self.core.applied_index or (last is not None and last.index >= index):
            return None
        term, configuration = state.journal.term_at(index), state.configurations.at(index).encode()
        return FrozenState(index, term, configuration, self.applier.machine.snapshot())

    def save(self, now: float, view: FrozenState, chunks: list[bytes], tail: int) -> None:
        """Keep a snapshot and cut the log, but for a tail (actors/raft/snapshotting.py)."""
        self.judge.ledger.snapshot(self.id, view.index, _checksum(chunks))
        state = self.core.state
        newer = state.snapshot
        if view.term is None or (newer is not None and newer.index >= view.index):
            return
        keep_from = state.journal.before_tail(view.index, tail, TAIL_BYTES_MAX)
        keep_from_term = state.journal.term_at(keep_from)
        assert keep_from_term is not None
        made = SnapshotSave(
            view.index, view.term, view.configuration, chunks, keep_from, keep_from_term, discard_log=False
        )
        self.core.save_snapshot(self.clock(now), made)

    def snapshot(self, now: float, tail: int) -> None:
        """Make a snapshot in no time."""
        view = self.freeze()
        if view is not None:
            self.save(now, view, list(view.chunks), tail)

    def finish_restore(self, snapshot: SnapshotSave) -> None:
        """Go on with the state of a snapshot.  Raises LookupError when a newer one has replaced it meanwhile."""
        chunks = self.disk.chunks(snapshot.index)
        if len(chunks) != snapshot.total:
            raise LookupError(f"{self.id}'s snapshot at {snapshot.index} is no longer there")
        machine = self.make_machine(self.effects)
        if chunks:
            machine.restore(iter(chunks))
        self.judge.ledger.restored(self.id, snapshot, _checksum(chunks))
        self.applier.replace(machine, snapshot.index)
        self.core.state.freshness.applied(snapshot.index)
        self.is_restoring = False

    # --- the turn -------------------------------------------------------------------------------------------------

    def next_deadline(self, now: float) -> float:
        """When it has to have a turn at the latest, by its own clock."""
        return min(self.core.next_deadline(), self.log_clock.next_deadline(self.clock(now)))

    def turn(self, now: float, entries_max: int) -> list[tuple[str, object]]:
        """Draw the consequences of the events so far; returns the messages that leave."""
        core = self.core
        sent: list[tuple[str, object]] = []
        turn = Turn(
            core=core,
            propose=partial(self._propose, self.clock(now)),
            send=partial(self._send_due, sent),
            hold=lambda: self.disk.hold(core.sender.in_use),
            write=self.submit,
            chunks=self._send_chunks,
            apply=partial(self._apply, entries_max),
            answer=self._answer,
            applies_later=self.applies_later,
        )
        turn.take()
        self.applies_later = turn.applies_later
        self.judge.turned(self)
        return sent

    def _send_due(self, sent: list[tuple[str, object]]) -> None:
        # The engine's sets have no order; what goes to one peer has.
        for peer, message in sorted(self.core.take_messages(), key=_target):
            self.judge.sent(self, peer, message)
            self.conduct.sends(peer, message)
            sent.append((peer, message))

    def _send_chunks(self) -> None:
        for peer, chunk in self.core.take_chunks():
            self.judge.sent(self, peer, chunk)
            self.fetch(peer, chunk)

    @property
    def has_more(self) -> bool:
        """Whether another turn is due although nothing happens."""
        return not self.is_restoring and bool(self.core.committed(1))

    def _keep_back(self, peer: str, chunk: SnapshotChunk) -> None:
        """Without anybody who reads it, it is lost."""

    def _propose(self, local_now: float) -> None:
        if self.log_clock.is_end_due(local_now) and self._takes_proposals:
            self._append(local_now, [])
        if not self.commands:
            return
        commands, self.commands = self.commands, []
        keys = [key for key, _ in commands]
        if not self._takes_proposals:
            self.applier.refuse(keys, "not_leader")
            return
        appended = self._append(local_now, [command for _, command in commands])
        if appended is None:
            self.applier.refuse(keys, "overloaded")
        else:
            self.applier.expect(*appended, keys)

    @property
    def _takes_proposals(self) -> bool:
        return self.core.state.engine.is_leader and not self.core.handover.is_under_way

    def _append(self, local_now: float, commands: Sequence[bytes]) -> tuple[int, int] | None:
        if self.is_disk_stuck or not self.log_clock.is_known:
            return None
        appended = self.core.propose(local_now, self.log_clock.entry(local_now, commands))
        if appended is not None:
            self.conduct.proposed(local_now, appended[1])
        return appended

    def _apply(self, entries_max: int) -> None:
        if self.is_restoring:
            return
        core, ledger = self.core, self.judge.ledger
        snapshot = core.take_restore()
        if snapshot is not None:
            self.is_restoring = True
            self.restore(snapshot)
            if self.is_restoring:
                return
        for entry in core.committed(entries_max):
            if entry[1] != core.applied_index + 1:
                violated(Invariant.STATE_MACHINE_SAFETY, f"{self.id} is to apply {core.applied_index + 1} next")
            if (time_of(entry[0]) or self.applier.time_ms) < self.applier.time_ms:
                violated(Invariant.STATE_MACHINE_SAFETY, f"the log's clock goes back at {entry[1]}")
            heard = len(self.applier.answers)
            self.applier.apply((entry,))
            core.applied(self.applier.applied)
            ledger.applied(self.id, entry, tuple(self.effects))
            self.effects.clear()
            if len(self.applier.answers) > heard:
                self._heard(heard)

    def _answer(self) -> None:
        heard = len(self.applier.answers)
        for index, tokens in self.core.take_reads():
            for token in tokens:
                for query in self.queries.pop(token):
                    self.applier.read_at(index, query)
        self._heard(heard)
        for token in self.core.take_failed_reads():
            keys = [key for key, _ in self.queries.pop(token)]
            for key in keys:
                del self.floors[key]
            self.applier.refuse(keys, "no_leader")

    def _heard(self, first: int) -> None:
        """Clients hear what is applied now, from these answers on: commands that were applied, and queries."""
        ledger, applied = self.judge.ledger, self.applier.applied
        for key, code, _ in self.applier.answers[first:]:
            floor = self.floors.pop(key, None)
            if code == "ok":
                ledger.answered(self.id, applied, applied if floor is None else floor)


def filled(chunk: SnapshotChunk, data: bytes) -> SnapshotChunk:
    """A chunk with its bytes (actors/raft/chunk_post.py)."""
    return replace(chunk, data=data, crc=zlib.crc32(data))


def _target(item: tuple[str, object]) -> str:
    return item[0]


def _checksum(chunks: Iterable[bytes]) -> int:
    return zlib.crc32(b"".join(chunks))
