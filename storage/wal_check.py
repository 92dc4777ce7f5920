"""Finds damage in a write-ahead log that SQLite would pass over in silence.

After a crash SQLite takes the WAL up to the first frame that does not match its checksum and drops the rest: right for
a transaction that was being written, wrong for a flipped bit in the middle, where every acknowledged transaction behind
it would vanish without a word. The two can be told apart. Each commit is on the disk before the next transaction's
first frame is written (synchronous=FULL, one writer), so a genuine frame *behind the commit frame* of the damaged
transaction proves that the damage came later.

What cannot be told apart is damage to the very last transaction and that transaction torn by the crash; no log can
without a second place to write to. So that one is left to SQLite.

Format: https://www.sqlite.org/fileformat2.html#walformat. This runs before SQLite opens the file, as closing a
database folds the WAL into it and the evidence would be gone.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from msgspec import Struct

from storage.errors import CorruptFile

_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
_VERSION = 3007000
_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_WORD = 0xFFFFFFFF

Checksum = tuple[int, int]


class _Frame(Struct, frozen=True):
    salts: tuple[int, int]
    is_commit: bool
    stored: Checksum
    words: tuple[int, ...]


def check_wal(database: Path) -> None:
    """Raise CorruptFile when a transaction in the WAL of `database` was damaged after it was on the disk."""
    path = database.with_name(database.name + "-wal")
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) <= _HEADER.size:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                damaged = _Wal(path, content).first_damaged_frame()
    except FileNotFoundError:
        return
    if damaged is not None:
        raise CorruptFile(path, f"frame {damaged} does not match its checksum, yet whole transactions follow it")


class _Wal:
    """The frames of one WAL file."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        fields = _HEADER.unpack_from(content)
        magic, version, self._page_size = fields[:3]
        self.salts = fields[4:6]
        self.stored = fields[6:8]
        if magic not in (_MAGIC_LITTLE, _MAGIC_BIG) or version != _VERSION:
            # The header is synced before the first frame is written: a file with frames has one.
            raise CorruptFile(path, "it does not begin as a write-ahead log")
        self._order = "<" if magic == _MAGIC_LITTLE else ">"
        if _sum(struct.unpack(f"{self._order}6I", content[:24]), (0, 0)) != self.stored:
            raise CorruptFile(path, "its header does not match its checksum")
        self._content = content
        self._step = _FRAME_HEADER.size + self._page_size
        self.count = (len(content) - _HEADER.size) // self._step

    def frame(self, number: int) -> _Frame:
        """A frame by its number, from 0."""
        at = _HEADER.size + number * self._step
        _, size_after_commit, salt1, salt2, sum1, sum2 = _FRAME_HEADER.unpack_from(self._content, at)
        # Summed are the first two fields of the header and the page.
        summed = self._content[at : at + 8] + self._content[at + _FRAME_HEADER.size : at + self._step]
        words = struct.unpack(f"{self._order}{len(summed) // 4}I", summed)
        return _Frame((salt1, salt2), size_after_commit != 0, (sum1, sum2), words)

    def first_damaged_frame(self) -> int | None:
        """The first frame of a damaged transaction that provably was on the disk, counted from 1."""
        valid, checksum = self._valid_frames()
        last = self._last_of_this_generation(valid)
        return valid + 1 if last is not None and self._goes_on(valid, last, checksum) else None

    def _valid_frames(self) -> tuple[int, Checksum]:
        """How many frames SQLite would take, and the checksum of the last one."""
        checksum = self.stored
        for number in range(self.count):
            frame = self.frame(number)
            if frame.salts != self.salts or _sum(frame.words, checksum) != frame.stored:
                return number, checksum
            checksum = frame.stored
        return self.count, checksum

    def _last_of_this_generation(self, start: int) -> int | None:
        """The last frame from `start` on with the salts of the header: older ones are left from before a restart."""
        for number in reversed(range(start, self.count)):
            if _FRAME_HEADER.unpack_from(self._content, _HEADER.size + number * self._step)[2:4] == self.salts:
                return number
        return None

    def _goes_on(self, start: int, last: int, checksum: Checksum) -> bool:
        """Whether a genuine frame stands behind a commit frame, both from `start` on.

        A frame is genuine when its checksum continues that of the frame before it: as stored there or, behind the
        damaged one, as computed, in case just the stored checksum is damaged.
        """
        seeds, is_ours, committed = {checksum}, True, False
        for number in range(start, last + 1):
            frame = self.frame(number)
            computed = {_sum(frame.words, seed) for seed in seeds}
            continues = frame.stored in computed
            if committed and continues and frame.salts == self.salts:
                return True
            is_ours = frame.salts == self.salts or (is_ours and continues)
            committed = committed or (is_ours and frame.is_commit)
            seeds = {frame.stored, *computed} if number == start else {frame.stored}
        return False


def _sum(words: tuple[int, ...], seed: Checksum) -> Checksum:
    """SQLite's running checksum over an even number of 32-bit words."""
    first, second = seed
    pairs = iter(words)
    for one, other in zip(pairs, pairs, strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return first, second
