"""The persistence actor: the only one that touches the disk.

What lives here: the order of writes, who may write, and what happens when the disk refuses. Not here: the files
(storage/), when something must be written (actors/raft, actors/gossip).

Rules:
1. A write is answered after it is on the disk, never before: persist, then speak.
2. Commits run inline, on the loop: a thread would cost a lone write more than the disk does.
3. A write that was refused as a whole (disk full) is answered with the error, and so is every write behind it until it
   has come again: no later write may leave a gap before it. The files stay usable.
4. After an I/O error on a sync nobody knows what is on the disk, and a second sync may claim success for pages the
   kernel has dropped. So the files are closed and the actor crashes; its successor reads what is there, and as its
   siblings behind it are restarted too, nothing is said that rests on memory alone.
5. Only the incarnation of the raft actor that loaded last may write: what is left in the mailbox from one that has
   died, or from before this actor's own restart, is dropped.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from actors.runtime.actor import Actor, Context, Sender, handles
from storage.commit_times import CommitTimes, PersistenceStatusRequest
from storage.errors import StorageError, WriteError
from storage.keyring_file import KeyringWrite, KeyringWritten, write_keyring
from storage.raft_messages import (
    RaftLoad,
    RaftLoaded,
    RaftWrite,
    RaftWritten,
    SnapshotHold,
    SnapshotPiece,
    SnapshotRead,
    SnapshotStage,
    SnapshotStaged,
)
from storage.serf_db import SerfLoad, SerfLoaded, SerfWrite, SerfWritten, merged
from transport.wire import Json

if TYPE_CHECKING:
    from storage.data_dir import DataDir
    from storage.raft_db import RaftDb
    from storage.serf_db import SerfDb

SLOW_COMMIT_S = 0.1

_log = logging.getLogger("quorate.persistence")


class PersistenceActor(Actor):
    """Writes raft.db and serf.db of one data directory."""

    def __init__(self, context: Context, data_dir: DataDir) -> None:
        super().__init__(context)
        self._data_dir = data_dir
        self._raft: RaftDb
        self._serf: SerfDb
        self._raft_incarnation = 0
        self._written = 0
        """The last write of that incarnation that is on the disk."""
        self._refused: int | None = None
        """The first write of that incarnation that was refused and has not come again."""
        self._serf_write: SerfWrite | None = None
        """What the turn, and refused turns before it, have gathered for serf.db."""
        self._serf_writers: list[Sender] = []
        self._commits: defaultdict[str, CommitTimes] = defaultdict(CommitTimes)

    async def on_start(self) -> None:
        """Open both files: what an incarnation knows it has read from the disk."""
        self._raft = self._data_dir.open_raft()
        self._serf = self._data_dir.open_serf()

    async def on_stop(self) -> None:
        """Close both files, so that the next start has nothing to recover."""
        self._data_dir.close_files()

    # --- raft.db --------------------------------------------------------------------------------------------------

    @handles(RaftLoad)
    def load_raft(self, msg: RaftLoad, sender: Sender) -> RaftLoaded:
        """Everything in raft.db; from now on only this incarnation of the raft actor writes."""
        loaded = self._raft.load()
        self._raft.hold(())
        self._raft_incarnation, self._written, self._refused = msg.incarnation, 0, None
        return loaded

    @handles(RaftWrite)
    def write_raft(self, msg: RaftWrite, sender: Sender) -> None:
        """One transaction, and the answer to the raft actor."""
        if msg.incarnation != self._raft_incarnation:
            _log.info("dropped a write of raft@%d: raft@%d has loaded", msg.incarnation, self._raft_incarnation)
            return
        error = "" if msg.sequence <= self._written else self._write_raft(msg)
        self.context.ref("raft").tell(RaftWritten(msg.incarnation, msg.sequence, error))

    def _write_raft(self, msg: RaftWrite) -> str:
        if self._refused is not None and msg.sequence > self._refused:
            return f"write {self._refused} before it was refused"
        began = self.context.now()
        try:
            self._raft.write(msg)
        except WriteError as error:
            self._refused = msg.sequence
            return str(error)
        except StorageError:
            self._data_dir.close_files()
            raise
        self._written, self._refused = msg.sequence, None
        self._note_time("raft.db", began)
        return ""

    @handles(SnapshotStage)
    def stage_chunk(self, msg: SnapshotStage, sender: Sender) -> SnapshotStaged:
        """Keep one chunk of a snapshot in the making."""
        if msg.incarnation != self._raft_incarnation:
            return SnapshotStaged(f"raft@{self._raft_incarnation} has loaded since")
        began = self.context.now()
        try:
            self._raft.stage(msg.number, msg.chunk)
        except WriteError as error:
            return SnapshotStaged(str(error))
        except StorageError:
            self._data_dir.close_files()
            raise
        self._note_time("raft.db", began)
        return SnapshotStaged()

    @handles(SnapshotRead)
    def read_chunk(self, msg: SnapshotRead, sender: Sender) -> SnapshotPiece:
        """One chunk of a snapshot, checked."""
        return SnapshotPiece(self._raft.chunk(msg.index, msg.number))

    @handles(SnapshotHold)
    def hold_snapshots(self, msg: SnapshotHold, sender: Sender) -> None:
        """Keep what is being sent to other servers."""
        if msg.incarnation == self._raft_incarnation:
            self._raft.hold(msg.indexes)

    # --- serf.db --------------------------------------------------------------------------------------------------

    @handles(SerfLoad)
    def load_serf(self, msg: SerfLoad, sender: Sender) -> SerfLoaded:
        """Everything in serf.db, what was told before included."""
        self._flush_serf()
        return SerfLoaded(self._serf.load())

    @handles(SerfWrite)
    def write_serf(self, msg: SerfWrite, sender: Sender) -> None:
        """Kept until the end of the turn: the changes of one batch of messages cost one commit."""
        self._serf_write = msg if self._serf_write is None else merged(self._serf_write, msg)
        self._serf_writers.append(sender)

    # --- keyring ----------------------------------------------------------------------------------------------------

    @handles(KeyringWrite)
    def write_ring(self, msg: KeyringWrite, sender: Sender) -> KeyringWritten:
        """Replace the file; a refusal leaves the one before."""
        try:
            write_keyring(self._data_dir.path, msg.ring)
        except WriteError as error:
            _log.error("%s", error)
            return KeyringWritten(str(error))
        return KeyringWritten()

    # --- figures ----------------------------------------------------------------------------------------------------

    @handles(PersistenceStatusRequest)
    def status(self, msg: PersistenceStatusRequest, sender: Sender) -> Json:
        """How long commits of this incarnation took, and how large the files are."""
        commits = {file: times.report() for file, times in self._commits.items()}
        return Json({"commits": commits, "bytes": self._data_dir.sizes()})

    def on_turn_end(self) -> None:
        """Commit what the turn has gathered for serf.db."""
        if self._serf_writers:
            self._flush_serf()

    def _flush_serf(self) -> None:
        if self._serf_write is None:
            return
        began = self.context.now()
        try:
            self._serf.write(self._serf_write)
        except WriteError as error:
            _log.error("%s", error)
            answer = SerfWritten(str(error))
        except StorageError:
            self._data_dir.close_files()
            raise
        else:
            self._serf_write, answer = None, SerfWritten()
        self._note_time("serf.db", began)
        writers, self._serf_writers = self._serf_writers, []
        for sender in writers:
            self.context.reply(sender, answer)

    def _note_time(self, file: str, began: float) -> None:
        elapsed_s = self.context.now() - began
        self._commits[file].add(elapsed_s)
        if elapsed_s > SLOW_COMMIT_S:
            _log.warning("a commit of %s took %.0f ms: the disk is slow or busy", file, elapsed_s * 1000)
