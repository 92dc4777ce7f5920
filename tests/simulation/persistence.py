"""The real persistence actor over a simulated disk, with a mailbox that is worked off in virtual time.

What lives here: in which order and how late writes reach the disk, and what of them is there after a crash.  What does
not: which writes are refused, and which incarnation may write: those are the actor's (actors/persistence.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen

from actors.persistence import PersistenceActor
from actors.raft.journal import RestoredLog
from actors.runtime.actor import Sender
from storage.errors import SyncError
from storage.raft_messages import RaftLoad, RaftWrite, RaftWritten, SnapshotRead
from tests.simulation.disk import SimDisk

if TYPE_CHECKING:
    from actors.runtime.actor import Context
    from storage.data_dir import DataDir

_RAFT = Sender("", "", "raft", 0)


@frozen
class ChunkRead:
    """An ask for a chunk of a snapshot."""

    wanted: SnapshotRead
    answer: Callable[[bytes | None], None]


class SimPersistence:
    """One process's persistence actor.

    wait(action): let an action happen once a sync is over.  written, loaded: the raft actor hears an answer.  Reading
    takes no time, but waits for the writes before it.
    failed: the disk failed a sync, so that the actor has ended.
    """

    def __init__(
        self,
        disk: SimDisk,
        clock: Callable[[], float],
        wait: Callable[[Callable[[], None]], None],
        written: Callable[[RaftWritten], None],
        loaded: Callable[[RaftLoad, RestoredLog], None],
        failed: Callable[[], None],
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._wait = wait
        self._loaded = loaded
        self._failed = failed
        self._context = _Context(clock, written)
        self._is_busy = False
        self.mailbox: deque[RaftWrite | RaftLoad | ChunkRead] = deque()
        self._actor = self._started()

    def tell(self, message: RaftWrite | RaftLoad | ChunkRead) -> bool:
        """Put a message into the mailbox."""
        self.mailbox.append(message)
        self._go_on()
        return True

    def crash(self, kept: int) -> int:
        """The process dies; the first ``kept`` writes have reached the disk.  Returns how many were lost."""
        writes = [message for message in self.mailbox if isinstance(message, RaftWrite)]
        for message in writes[:kept]:
            self._carry_out(message)
        self.mailbox.clear()
        self._disk.reopen()
        return max(len(writes) - kept, 0)

    def _started(self) -> PersistenceActor:
        files = _Files(self._disk, self._clock)
        actor = PersistenceActor(cast("Context", self._context), cast("DataDir", files))
        # It awaits nothing.
        for _ in actor.on_start().__await__():
            raise AssertionError("the persistence actor waits at its start")
        self._disk.reopen()
        return actor

    def _go_on(self) -> None:
        if self.mailbox and not self._is_busy:
            self._is_busy = True
            if isinstance(self.mailbox[0], ChunkRead):
                self._handle()
            else:
                self._wait(self._handle)

    def _handle(self) -> None:
        self._is_busy = False
        if self.mailbox:
            self._carry_out(self.mailbox.popleft())
            self._go_on()

    def _carry_out(self, message: RaftWrite | RaftLoad | ChunkRead) -> None:
        if isinstance(message, ChunkRead):
            message.answer(self._actor.read_chunk(message.wanted, _RAFT).data)
            return
        if isinstance(message, RaftLoad):
            self._loaded(message, cast("RestoredLog", self._actor.load_raft(message, _RAFT)))
            return
        try:
            self._actor.write_raft(message, _RAFT)
        except SyncError:
            # Its mailbox is kept, and what is in it meets a successor that has read the disk anew.
            self._actor = self._started()
            self._failed()


class _Context:
    """The part of a context that the actor uses."""

    incarnation = 1

    def __init__(self, clock: Callable[[], float], written: Callable[[RaftWritten], None]) -> None:
        self.now = clock
        self._written = written

    def ref(self, actor: str) -> _Context:
        """The raft actor is the only one it tells anything."""
        assert actor == "raft"
        return self

    def tell(self, message: RaftWritten) -> bool:
        """The answer to a write."""
        self._written(message)
        return True


class _Files:
    """In place of a data directory: the disk as raft.db, and no serf.db."""

    def __init__(self, disk: SimDisk, clock: Callable[[], float]) -> None:
        self._disk = disk
        self._clock = clock

    def open_raft(self) -> Any:
        """What RaftDb is to the actor."""
        return self

    def open_serf(self) -> None:
        """Nothing is written to it here."""

    def close_files(self) -> None:
        """After a failed sync."""

    def load(self) -> RestoredLog:
        """Everything on the disk."""
        return self._disk.load()

    def chunk(self, index: int, number: int) -> bytes | None:
        """A chunk of a snapshot that is there."""
        chunks = self._disk.chunks(index)
        return chunks[number] if number < len(chunks) else None

    def hold(self, indexes: list[int]) -> None:
        """See SimDisk."""
        self._disk.hold(indexes)

    def write(self, write: RaftWrite) -> None:
        """See SimDisk."""
        self._disk.write(write, self._clock())
