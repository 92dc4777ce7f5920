"""Messages that could not be delivered, counted and kept for people to look at.

What lives here: a bounded record without I/O.  Not here: who decides that a message is undeliverable (system.py,
cell.py).

Letters of one kind, receiver, sender and reason share one entry with a count.  A plain ring of the last messages would
show nothing but probes to a server that is down, and hide the one letter that matters.  So a reason is one of a few
texts, and what is particular to a letter (an exception's text) is its detail: the latest one is kept.
"""

from collections import Counter, OrderedDict
from typing import Any, NamedTuple

from msgspec import Struct


class DeadLetter(NamedTuple):
    """An undeliverable message, as far as letters of one entry have it in common."""

    kind: str
    to: str
    sender: str
    reason: str


class _Entry(Struct):
    first_at: float
    last_at: float
    count: int
    detail: str


class DeadLetters:
    """The latest undeliverable messages, at most `limit` different ones.  Times are seconds since the epoch."""

    def __init__(self, limit: int) -> None:
        self.total = 0
        self._limit = limit
        self._entries: OrderedDict[DeadLetter, _Entry] = OrderedDict()
        self._reasons: Counter[str] = Counter()

    def add(self, letter: DeadLetter, detail: str, now: float) -> int:
        """Record one letter; returns how many like it are counted in its entry."""
        self.total += 1
        self._reasons[letter.reason] += 1
        entry = self._entries.get(letter)
        if entry is None:
            if len(self._entries) >= self._limit:
                self._entries.popitem(last=False)
            entry = self._entries[letter] = _Entry(now, now, 0, detail)
        entry.count += 1
        entry.last_at = now
        entry.detail = detail
        self._entries.move_to_end(letter)
        return entry.count

    def view(self) -> dict[str, Any]:
        """Plain data: the total, the counts by reason, and the entries, latest first."""
        letters = [
            {
                "kind": kind,
                "to": to,
                "sender": sender,
                "reason": f"{reason}: {entry.detail}" if entry.detail else reason,
                "time": entry.last_at,
                "since": entry.first_at,
                "count": entry.count,
            }
            for (kind, to, sender, reason), entry in reversed(self._entries.items())
        ]
        return {"total": self.total, "by_reason": dict(self._reasons), "letters": letters}
