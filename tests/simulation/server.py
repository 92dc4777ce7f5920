"""One simulated server: the real Raft core, a disk that loses, a state machine that is a list, and its clients.

It does what the raft actor does in one turn (actors/raft/raft.py), and nothing else.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from attrs import define, evolve, field

from actors.config import RaftTiming
from actors.raft.configuration import Configuration
from actors.raft.core import RaftCore
from actors.raft.entries import decode_commands, encode_commands
from actors.raft.messages import SnapshotChunk
from storage.raft_db import SnapshotSave
from tests.simulation.disk import SimDisk
from tests.simulation.judge import Judge, Seen, require

VALUES_PER_CHUNK = 3


@define
class Proposal:
    """A client's command that waits for its entry."""

    term: int
    value: bytes


@define
class PendingRead:
    """A client's read.  floor: what was known when it began; index: where it may be answered, once known."""

    floor: int
    begun: float
    index: int | None = None


@define
class SimServer:
    """A server, running or not."""

    id: str
    disk: SimDisk
    judge: Judge
    timing: RaftTiming
    offset_s: float = 0.0
    rate: float = 1.0
    """Its clock shows ``offset_s + rate * time``."""
    founds: Configuration | None = None
    """What a cluster begins with that this server founds when its disk is empty."""
    running: RaftCore | None = None
    incarnation: int = 0
    is_paused: bool = False
    refuses_until: float = 0.0
    """Until then its disk takes no writes."""
    backlog: list[Callable[[], None]] = field(factory=list)
    seen: Seen = field(factory=Seen)
    values: list[bytes] = field(factory=list)
    proposals: dict[int, Proposal] = field(factory=dict)
    reads: dict[int, PendingRead] = field(factory=dict)
    reads_failed: int = 0
    reads_answered: int = 0
    snapshot_due: int = 0
    last_token: int = 0

    @property
    def core(self) -> RaftCore:
        """The core of a server that runs."""
        assert self.running is not None
        return self.running

    @property
    def is_up(self) -> bool:
        """Whether it runs and is not paused."""
        return self.running is not None and not self.is_paused

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        return self.running is not None and self.running.state.engine.is_leader

    def clock(self, now: float) -> float:
        """What its own clock shows."""
        return self.offset_s + self.rate * now

    def start(self, now: float, seed: int) -> None:
        """Begin with what the disk holds and nothing else."""
        self.incarnation += 1
        self.values, self.proposals, self.reads, self.backlog = [], {}, {}, []
        self.seen = Seen(term=self.disk.state.term)
        self.running = RaftCore(self.id, self.disk.load(), self.timing, random.Random(seed), self.clock(now))
        self.is_paused = False
        if self.founds is not None and self.disk.snapshot is None and not self.disk.rows:
            self.running.found(self.clock(now), self.founds)

    def crash(self, kept: int) -> None:
        """Die; the first ``kept`` of the writes on their way are on disk."""
        self.running = None
        self.backlog.clear()
        self.disk.crash(kept)
        self.judge.crashed(self)

    def written(self, now: float, sequence: int) -> None:
        """A write is on disk; if it had been refused before, the disk is well again."""
        self.core.written(self.clock(now), sequence)
        if self.core.is_halted:
            self.core.resume(self.clock(now))

    # --- clients --------------------------------------------------------------------------------------------------

    def propose(self, now: float, value: bytes) -> bool:
        """A client's command; returns whether it was taken."""
        appended = self.core.propose(self.clock(now), encode_commands([value]))
        if appended is None:
            return False
        index, term = appended
        for replaced in [i for i in self.proposals if i >= index]:
            del self.proposals[replaced]  # the outcome is unknown
        self.proposals[index] = Proposal(term, value)
        return True

    def read(self, now: float) -> None:
        """A client's linearizable read."""
        self.last_token += 1
        self.reads[self.last_token] = PendingRead(self.judge.floor, now)
        self.core.read(self.clock(now), self.last_token)

    def snapshot(self, now: float, tail: int) -> None:
        """Keep a snapshot of what is applied and cut the log, but for a tail."""
        core = self.core
        journal, index = core.state.journal, core.applied_index
        last = core.state.snapshot
        term = journal.term_at(index)
        if term is None or (last is not None and last.index >= index):
            return
        keep_from = max(journal.anchor_index, index - tail)
        keep_from_term = journal.term_at(keep_from)
        assert keep_from_term is not None
        values = [self.values[i : i + VALUES_PER_CHUNK] for i in range(0, len(self.values), VALUES_PER_CHUNK)]
        chunks = [b",".join(part) for part in values] or [b""]
        configuration = core.state.configurations.at(index).encode()
        core.save_snapshot(
            self.clock(now),
            SnapshotSave(index, term, configuration, chunks, keep_from, keep_from_term, discard_log=False),
        )

    # --- the turn -------------------------------------------------------------------------------------------------

    def turn(self, entries_max: int) -> list[tuple[str, object]]:
        """Draw the consequences of the events so far; returns the messages that leave."""
        core = self.core
        core.flush()
        write = core.take_write()
        if write is not None:
            self.disk.submit(write)
        # The engine's sets have no order; what goes to one peer has.
        messages = sorted(core.take_messages(), key=lambda item: item[0])
        messages += [(peer, filled) for peer, chunk in core.take_chunks() if (filled := self._filled(chunk))]
        for peer, message in messages:
            self.judge.sent(self, peer, message)
        self._restore()
        self._apply(entries_max)
        self._answer()
        self.judge.turned(self)
        return messages

    @property
    def has_more(self) -> bool:
        """Whether another turn is due although nothing happens."""
        return bool(self.core.committed(1))

    def _filled(self, chunk: SnapshotChunk) -> SnapshotChunk | None:
        """With its bytes from the disk, if they are there."""
        chunks = self.disk.chunks(chunk.index)
        if len(chunks) != chunk.total:
            return None
        return evolve(chunk, data=chunks[chunk.offset], crc=zlib.crc32(chunks[chunk.offset]))

    def _restore(self) -> None:
        snapshot = self.core.take_restore()
        if snapshot is None:
            return
        self.values = [value for chunk in self.disk.chunks(snapshot.index) if chunk for value in chunk.split(b",")]
        self.judge.restored(self, snapshot)
        for index in [index for index in self.proposals if index <= snapshot.index]:
            del self.proposals[index]  # the outcome is unknown

    def _apply(self, entries_max: int) -> None:
        for entry in self.core.committed(entries_max):
            data, index, term = entry
            require(index == self.core.applied_index + 1, f"{self.id} is to apply {index} next")
            self.values.extend(decode_commands(data))
            self.core.applied(index)
            self.judge.applied(self, entry)
            proposal = self.proposals.pop(index, None)
            if proposal is None:
                continue
            if proposal.term == term:
                self.judge.acknowledge(proposal.value, index)
            else:
                self.judge.rejected.add(proposal.value)

    def _answer(self) -> None:
        for index, tokens in self.core.take_reads():
            for token in tokens:
                self.reads[token].index = index
        for token in self.core.take_failed_reads():
            del self.reads[token]
            self.reads_failed += 1
        applied = self.core.applied_index
        for token, read in list(self.reads.items()):
            if read.index is not None and read.index <= applied:
                self.judge.answered(self, read.index, read.floor)
                del self.reads[token]
                self.reads_answered += 1
