"""The latest changes of the key-value store: what a watch is told, and what undoes them for a read of the past.

What lives here: a window over the changes, bounded in number and bytes, and the two ways to look into it.  What does
not: the present (kv.py).

The window is a server's memory, not replicated state: what a command does never depends on it.  A server that was
restarted, or took a snapshot, has the changes since that snapshot and the few that the snapshot holds, so that whoever
watched another server finds the thread.  Whoever asks for more is told from where on everything is known, and never
gets a history with a gap.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate

from msgspec import Struct

CHANGES_MAX = 65_536
BYTES_MAX = 32 << 20
SNAPSHOT_CHANGES_MAX = 4_096
SNAPSHOT_BYTES_MAX = 1 << 20
_OVERHEAD_BYTES = 100
"""What a change costs besides the record before it, about."""


class KeyChange(Struct, frozen=True, gc=False):
    """One key of a change, with the records before and after it; None: there was none."""

    revision: int
    key: str
    before: bytes | None
    after: bytes | None


class History:
    """The window.  floor: everything after this revision is known.

    It lies in columns, which the changes of a command are put under together: an object for each of them would cost a
    fifth of what a put does.
    """

    def __init__(self, floor: int = 0, changes: Sequence[KeyChange] = ()) -> None:
        self.floor = floor
        self._revisions = array("Q", [one.revision for one in changes])
        self._keys = [one.key for one in changes]
        self._before = [one.before for one in changes]
        self._after = [one.after for one in changes]
        self._bytes = _size(self._before)

    def add(self, revision: int, key: str, before: bytes | None, after: bytes | None) -> None:
        """A key was changed, at the last revision or the next."""
        self._revisions.append(revision)
        self._keys.append(key)
        self._before.append(before)
        self._after.append(after)
        self._bytes += _OVERHEAD_BYTES if before is None else _OVERHEAD_BYTES + len(before)
        if self._bytes > BYTES_MAX or len(self._keys) > CHANGES_MAX:
            self._drop(revision)

    def add_all(
        self, revision: int, keys: Collection[str], before: Collection[bytes | None], after: Iterable[bytes]
    ) -> None:
        """Keys were changed, at the next revision, with their records before and after in the same order."""
        self._revisions.extend([revision] * len(keys))
        self._keys += keys
        self._before += before
        self._after += after
        self._bytes += _size(before)
        if self._bytes > BYTES_MAX or len(self._keys) > CHANGES_MAX:
            self._drop(revision)

    def _drop(self, before: int) -> None:
        """Drop the oldest, if they came before a revision: one in eight, so that this is seldom."""
        excess = self._bytes - BYTES_MAX // 8 * 7
        sizes = accumulate(map(_cost, self._before))
        gone = max(
            len(self._keys) - CHANGES_MAX // 8 * 7,
            next(place for place, size in enumerate(sizes, 1) if size >= excess) if excess > 0 else 0,
        )
        gone = min(gone, bisect_left(self._revisions, before))
        if gone:
            # Changes of one revision go together.
            self.floor = self._revisions[gone - 1]
            gone = bisect_right(self._revisions, self.floor)
            self._bytes -= _size(self._before[:gone])
            for column in (self._revisions, self._keys, self._before, self._after):
                del column[:gone]

    def after(self, revision: int) -> Iterator[KeyChange]:
        """The changes after a revision, which is not below `floor`, in order."""
        return self._from(bisect_right(self._revisions, revision))

    def undone(self, revision: int) -> dict[str, bytes | None]:
        """The keys that were changed after a revision, with their records as of then (None: there was none)."""
        then: dict[str, bytes | None] = {}
        for change in self.after(revision):
            then.setdefault(change.key, change.before)
        return then

    def tail(self) -> list[KeyChange]:
        """The last changes, as many as a snapshot holds; whole revisions."""
        revisions, place, size = self._revisions, len(self._keys), 0
        while place and len(revisions) - place < SNAPSHOT_CHANGES_MAX and size < SNAPSHOT_BYTES_MAX:
            place -= 1
            size += _cost(self._before[place])
        # The revision that it begins in may have begun before.
        while 0 < place < len(revisions) and revisions[place] == revisions[place - 1]:
            place += 1
        return list(self._from(place))

    def _from(self, first: int) -> Iterator[KeyChange]:
        for place in range(first, len(self._keys)):
            yield KeyChange(self._revisions[place], self._keys[place], self._before[place], self._after[place])


def _cost(before: bytes | None) -> int:
    # The record after it is in the map, or is the one before a later change.
    return _OVERHEAD_BYTES if before is None else _OVERHEAD_BYTES + len(before)


def _size(records: Collection[bytes | None]) -> int:
    return _OVERHEAD_BYTES * len(records) + sum(map(len, filter(None, records)))
