"""What a server logs, for clients that follow it: the latest lines of each level, and more of them on request.

What lives here: keeping lines, and letting a logger say more for as long as somebody listens.  What does not: what the
server itself writes to its stderr (commands/logs.py), and how a client shows lines (commands/monitor.py).

A client may want more than the server's own level.  The logger is then set lower while somebody asks, and the handlers
of the program go on getting what they got before.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal

from actors.gateway.streams import Feed, Page

ROOT: Final = "quorate"
MESSAGE_CHARS_MAX: Final = 2_000
TRACEBACK_CHARS_MAX: Final = 8_000
LEASE_S: Final = 5.0
"""How long a finer level outlasts the last question for it: a client asks again at once."""

Level = Literal["debug", "info", "warning", "error"]
NUMBERS: Final[dict[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def entry_of(record: logging.LogRecord) -> dict[str, Any]:
    """A record as JSON has it: time (UTC, RFC 3339), level, logger, message, and the traceback if there is one."""
    entry = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    if record.exc_info:
        entry["traceback"] = logging.Formatter().formatException(record.exc_info)
    return entry


class Valve(logging.Handler):
    """Lets a logger make finer records than its handlers are to get.  One a logger, since its level is one, too."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._wanted: dict[object, int] = {}
        self._before: tuple[int, bool] | None = None
        self._own_level = logging.NOTSET

    def want(self, who: object, level: int) -> None:
        """Somebody wants records from this level on."""
        self._wanted[who] = level
        self._set()

    def let_go(self, who: object) -> None:
        """And no longer."""
        self._wanted.pop(who, None)
        self._set()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on what would have passed without this."""
        parent = self._logger.parent
        if record.levelno >= self._own_level and parent is not None and self._before is not None and self._before[1]:
            parent.callHandlers(record)

    def _set(self) -> None:
        if self._before is None:
            self._own_level = self._logger.getEffectiveLevel()
        lowest = min(self._wanted.values(), default=self._own_level)
        if self._before is None and lowest < self._own_level:
            self._before = (self._logger.level, self._logger.propagate)
            self._logger.propagate = False
            self._logger.addHandler(self)
        if self._before is not None and lowest < self._own_level:
            self._logger.setLevel(lowest)
        elif self._before is not None:
            self._logger.removeHandler(self)
            self._logger.propagate = self._before[1]
            self._logger.setLevel(self._before[0])
            self._before = None


@cache
def valve_of(name: str) -> Valve:
    """The valve of the logger of that name."""
    return Valve(logging.getLogger(name))


class LogTap(logging.Handler):
    """The lines of one server.  run: tells this run of it from others, for the cursors."""

    def __init__(self, run: str, name: str = ROOT) -> None:
        super().__init__()
        self._name = name
        self._feeds = {level: Feed(run) for level in NUMBERS}
        self._leases: dict[str, asyncio.TimerHandle] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Keep lines from now on, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        logging.getLogger(self._name).addHandler(self)

    def close(self) -> None:
        """Keep no more."""
        logging.getLogger(self._name).removeHandler(self)
        for level in list(self._leases):
            self._release(level)
        self._loop = None

    async def read(self, level: Level, cursor: str, wait_s: float) -> Page:
        """The lines of that level and above behind a cursor, as `Feed.read` has it."""
        self._lease(level, wait_s + LEASE_S)
        return await self._feeds[level].read(cursor, wait_s)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line.  It may come from another thread than the loop's."""
        entry = entry_of(record)
        entry["message"] = entry["message"][:MESSAGE_CHARS_MAX]
        if "traceback" in entry:
            entry["traceback"] = entry["traceback"][-TRACEBACK_CHARS_MAX:]
        loop = self._loop
        if loop is not None:
            # A server that is ending has nobody left to tell.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._keep, record.levelno, entry)

    def _keep(self, number: int, entry: dict[str, Any]) -> None:
        for level, feed in self._feeds.items():
            if number >= NUMBERS[level]:
                feed.add(entry)

    def _lease(self, level: str, for_s: float) -> None:
        loop = asyncio.get_running_loop()
        lease = self._leases.pop(level, None)
        if lease is not None:
            lease.cancel()
        self._leases[level] = loop.call_later(for_s, self._release, level)
        valve_of(self._name).want((self, level), NUMBERS[level])

    def _release(self, level: str) -> None:
        self._leases.pop(level).cancel()
        valve_of(self._name).let_go((self, level))
