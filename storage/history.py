"""The latest changes of the key-value store: what a watch is told, and what undoes them for a read of the past.

What lives here: a window over the changes, bounded in number and bytes, and the two ways to look into it.  What does
not: the present (kv.py).

The window is a server's memory, not replicated state: what a command does never depends on it.  A server that was
restarted, or took a snapshot, has the changes since that snapshot and the few that the snapshot holds, so that whoever
watched another server finds the thread.  Whoever asks for more is told from where on everything is known, and never
gets a history with a gap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter

from msgspec import Struct

CHANGES_MAX = 65_536
BYTES_MAX = 32 << 20
SNAPSHOT_CHANGES_MAX = 4_096
SNAPSHOT_BYTES_MAX = 1 << 20
_OVERHEAD_BYTES = 100
"""What a change costs besides the record before it, about."""


class KeyChange(Struct, frozen=True, gc=False):
    """One key of a change, with the records before and after it; None: there was none.

    There are tens of thousands of these, and the garbage collector does not look at them.
    """

    revision: int
    key: str
    before: bytes | None
    after: bytes | None


_revision = attrgetter("revision")


class History:
    """The window.  floor: everything after this revision is known."""

    def __init__(self, floor: int = 0, changes: Sequence[KeyChange] = ()) -> None:
        self.floor = floor
        self._changes: list[KeyChange] = list(changes)
        self._bytes = sum(map(_cost, self._changes))

    def add(self, revision: int, key: str, before: bytes | None, after: bytes | None) -> None:
        """A key was changed, at the last revision or the next."""
        changes = self._changes
        changes.append(KeyChange(revision, key, before, after))
        self._bytes += _OVERHEAD_BYTES if before is None else _OVERHEAD_BYTES + len(before)
        if self._bytes > BYTES_MAX or len(changes) > CHANGES_MAX:
            self._drop(revision)

    def _drop(self, before: int) -> None:
        """Drop the oldest, if they came before a revision: one in eight, so that this is seldom."""
        changes, first = self._changes, 0
        bytes_max, first_min = BYTES_MAX // 8 * 7, len(changes) - CHANGES_MAX // 8 * 7
        while (self._bytes > bytes_max or first < first_min) and changes[first].revision < before:
            # Changes of one revision go together.
            self.floor = changes[first].revision
            while changes[first].revision == self.floor:
                self._bytes -= _cost(changes[first])
                first += 1
        del changes[:first]

    def after(self, revision: int) -> Iterator[KeyChange]:
        """The changes after a revision, which is not below `floor`, in order."""
        for place in range(bisect_right(self._changes, revision, key=_revision), len(self._changes)):
            yield self._changes[place]

    def undone(self, revision: int) -> dict[str, bytes | None]:
        """The keys that were changed after a revision, with their records as of then (None: there was none)."""
        then: dict[str, bytes | None] = {}
        for change in self.after(revision):
            then.setdefault(change.key, change.before)
        return then

    def tail(self) -> list[KeyChange]:
        """The last changes, as many as a snapshot holds; whole revisions."""
        changes, place, size = self._changes, len(self._changes), 0
        while place and len(changes) - place < SNAPSHOT_CHANGES_MAX and size < SNAPSHOT_BYTES_MAX:
            place -= 1
            size += _cost(changes[place])
        # The revision that it begins in may have begun before.
        while 0 < place < len(changes) and changes[place].revision == changes[place - 1].revision:
            place += 1
        return changes[place:]


def _cost(change: KeyChange) -> int:
    # The record after it is in the map, or is the one before a later change.
    return _OVERHEAD_BYTES + len(change.before or b"")
