"""What goes on in a server, for clients that want to follow it: the latest entries, numbered, and a wait for the next.

What lives here: a feed, and where in it a reader is.  What does not: what an entry is, and who reads.

A reader asks again and again: "what came after this cursor?", and its question waits until there is something (Consul's
blocking queries).  So the server keeps nothing for a reader but the question that waits; one that is slow, or gone,
costs nothing, and learns how many entries it has missed when they had to make room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from actors.runtime.asks import MailboxFull

KEPT_DEFAULT: Final = 512
PAGE_DEFAULT: Final = 128
READERS_MAX: Final = 64
CURSOR: Final = r"^([0-9a-f.]+-[0-9]+)?$"
"""What a cursor looks like, of any feed."""


class Page(Struct, frozen=True):
    """Entries in their order, where to go on, and how many entries before them nobody can have any more."""

    entries: list[Any]
    cursor: str
    dropped: int

    def report(self) -> dict[str, Any]:
        """The page as an answer to a client."""
        return {"entries": self.entries, "cursor": self.cursor, "dropped": self.dropped}


class Feed:
    """One stream.  run: tells this feed from one that an earlier incarnation kept, whose numbers mean nothing here."""

    def __init__(self, run: str, *, kept: int = KEPT_DEFAULT, page: int = PAGE_DEFAULT) -> None:
        self._run = run
        self._page = page
        self._entries: deque[Any] = deque(maxlen=kept)
        self._count = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, entry: Any) -> None:
        """Append an entry; the oldest one makes room."""
        self._entries.append(entry)
        self._count += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    @property
    def end(self) -> str:
        """The cursor behind the last entry: for a reader that wants only what is to come."""
        return f"{self._run}-{self._count}"

    def after(self, cursor: str) -> Page:
        """The next entries behind a cursor; "" and the cursor of another feed stand before all that is kept."""
        first = self._count - len(self._entries)
        position = self._position(cursor)
        start = first if position is None else max(first, position)
        entries = list(islice(self._entries, start - first, start - first + self._page))
        dropped = 0 if position is None else start - position
        return Page(entries, f"{self._run}-{start + len(entries)}", dropped)

    async def read(self, cursor: str, wait_s: float) -> Page:
        """The same, once there is an entry, or without one when time is up.

        Raises MailboxFull when too many readers wait already.
        """
        page = self.after(cursor)
        if page.entries or wait_s <= 0:
            return page
        if len(self._waiting) >= READERS_MAX:
            raise MailboxFull(f"{READERS_MAX} clients follow this already; try again later")
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait({future}, timeout=wait_s)
        finally:
            self._waiting.discard(future)
        return self.after(page.cursor)

    def _position(self, cursor: str) -> int | None:
        run, _, number = cursor.rpartition("-")
        if run != self._run or not (number.isascii() and number.isdigit()):
            return None
        return min(int(number[:18]), self._count)
