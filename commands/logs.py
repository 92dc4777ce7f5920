"""Logs of a server: lines of text for people, or one JSON object a line for machines, on stderr.

What lives here: the set-up of the standard library's logging, for `start` alone: a program that embeds a server sets
up its own.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Final

from actors.gateway.log_tap import NUMBERS, ROOT, entry_of
from transport.text import escaped_lines

LEVELS: Final = tuple(NUMBERS)
FORMATS: Final = ("text", "json")


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC, RFC 3339), level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return json.dumps(entry_of(record), ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for people.  What others chose cannot pass for a line of its own in it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line, without the traceback that may follow it."""
        return escaped_lines(super().formatMessage(record))


def configure_logs(level: str, form: str) -> None:
    """Log Quorate's own messages from `level` on, and other libraries' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(ROOT).setLevel(level.upper())
