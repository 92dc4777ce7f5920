"""Making a snapshot of this server's state machine without stopping it.

What lives here: when one is due, and the loop that takes it chunk by chunk from a frozen view and stages each chunk in
raft.db, so that neither the state machine nor the disk holds the loop up.  What does not: sending one to another
server (snapshots.py) and the transaction that makes it count (raft.db: snapshot and truncation are one).
"""

import logging
from collections.abc import Iterator
from math import inf

from msgspec.structs import replace

from actors.config import RaftTiming
from actors.raft.applier import Applier
from actors.raft.core import RaftCore
from actors.raft.messages import Tick
from actors.runtime.actor import Context, Sender
from storage.raft_messages import SnapshotSave, SnapshotStage, SnapshotStaged
from storage.state_machine import fault_of
from transport.wire import Json

STAGE_TIMEOUT_S = 60.0
TAIL_BYTES_MAX = 16 * 1024 * 1024
"""What stays of the log behind a snapshot, however few entries that are."""

PAUSE_AFTER_FAILURE_S = 30.0
"""A snapshot that found no room would find none at the next entry either."""

ENTRY_OVERHEAD_BYTES = 200
"""What an entry of the log costs in memory beside its bytes, about."""

_log = logging.getLogger("quorate.raft")


class Snapshotting:
    """At most one snapshot in the making."""

    def __init__(self, context: Context, core: RaftCore, applier: Applier, timing: RaftTiming) -> None:
        self._context = context
        self._core = core
        self._applier = applier
        self._timing = timing
        self._is_under_way = False
        self._not_before = -inf
        self._askers: list[Sender] = []
        self._waiting_for: int | None = None

    def consider(self) -> None:
        """Begin one when enough has been applied since the last, measured by the size of the state too.

        A large state is not written anew for a few entries: what is written for snapshots stays in proportion to what
        is written for the log, and the log to the state.  Nor is one made on the way through a log that was read at the
        start: there is another one due soon, and the server is waited for.
        """
        last, timing = self._core.state.snapshot, self._timing
        if self._core.state.engine.commit - self._applier.applied > timing.snapshot_entries:
            return
        entries = self._applier.applied - (last.index if last else 0)
        size = self._applier.bytes_since_snapshot
        if entries < timing.snapshot_entries and size < timing.snapshot_bytes:
            return
        is_worth_it = size + entries * ENTRY_OVERHEAD_BYTES >= (last.size if last else 0) // 2
        if is_worth_it and self._context.now() >= self._not_before:
            self._begin()

    def begin(self, asker: Sender) -> None:
        """Begin one because somebody asks; answered once it is on disk."""
        self._askers.append(asker)
        if not self._begin():
            return

    def written(self, sequence: int) -> None:
        """Answer whoever asked, when the write that holds the snapshot is done."""
        if self._waiting_for is not None and sequence >= self._waiting_for:
            self._waiting_for = None
            snapshot = self._core.state.snapshot
            self._answer({"ok": True, "index": snapshot.index if snapshot else 0, "reason": ""})

    def give_up(self, index: int, reason: str) -> None:
        """It comes to nothing; the next one is tried when that may have changed."""
        self._not_before = self._context.now() + PAUSE_AFTER_FAILURE_S
        _log.warning("gave up a snapshot at %d: %s", index, reason)
        self._answer({"ok": False, "index": index, "reason": reason})

    def _begin(self) -> bool:
        if self._is_under_way:
            return False
        last = self._core.state.snapshot
        if last is not None and self._applier.applied <= last.index:
            self._answer({"ok": True, "index": last.index, "reason": "nothing new since the last snapshot"})
            return False
        try:
            view = self._applier.machine.snapshot()
        except Exception as fault:
            self.give_up(self._applier.applied, _fault_of_machine(fault))
            return False
        self._is_under_way = True
        self._context.spawn(self._make(self._applier.applied, iter(view)), name="snapshot")
        return True

    async def _make(self, index: int, view: Iterator[bytes]) -> None:
        covered, self._applier.bytes_since_snapshot = self._applier.bytes_since_snapshot, 0
        term = self._core.state.journal.term_at(index)
        configuration = self._core.state.configurations.at(index).encode()
        persistence = self._context.ref("persistence")
        count = size = 0
        while True:
            chunk, error = _next_chunk(view)
            if chunk is None:
                break
            stage = SnapshotStage(self._context.incarnation, count, chunk)
            staged: SnapshotStaged = await persistence.ask(stage, timeout_s=STAGE_TIMEOUT_S)
            error = staged.error
            if error:
                break
            count += 1
            size += len(chunk)
        self._is_under_way = False
        newer = self._core.state.snapshot
        if error or term is None or (newer is not None and newer.index >= index):
            self._applier.bytes_since_snapshot += covered
            self.give_up(index, error or "a newer snapshot came from the leader meanwhile")
            return
        self._save(SnapshotSave(index, term, configuration, [], 0, 0, discard_log=False, staged=count, size=size))

    def _save(self, made: SnapshotSave) -> None:
        journal = self._core.state.journal
        keep_from = journal.before_tail(made.index, self._timing.tail_entries, TAIL_BYTES_MAX)
        keep_from_term = journal.term_at(keep_from)
        if keep_from_term is None:
            raise AssertionError(f"the log has lost entry {keep_from}, which is applied and not compacted")
        snapshot = replace(made, keep_from=keep_from, keep_from_term=keep_from_term)
        self._core.save_snapshot(self._context.now(), snapshot)
        self._waiting_for = journal.next_promise
        self._context.me.tell(Tick())
        _log.info("snapshot at index %d, the log is kept from %d", made.index, keep_from + 1)

    def _answer(self, value: dict[str, object]) -> None:
        for asker in self._askers:
            self._context.reply(asker, Json(value))
        self._askers.clear()


def _next_chunk(view: Iterator[bytes]) -> tuple[bytes | None, str]:
    """The next chunk, None behind the last one, and why there is none."""
    try:
        return next(view, None), ""
    except Exception as fault:
        return None, _fault_of_machine(fault)


def _fault_of_machine(fault: Exception) -> str:
    """A mistake in an application's class: the server lives on, and its log grows until the class is mended."""
    _log.error("the state machine cannot make a snapshot", exc_info=fault)
    return fault_of(fault)
