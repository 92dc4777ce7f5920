"""What the raw PySyncObj servers and their client say to each other, and how the servers are set.

One frame carries all that was asked, or answered, since the last one, so that the front end costs little.
"""

from typing import Any

import msgspec

from bench.loads import Kind

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    # Each command is sent at once: the best with few in flight.
    "flush": {"appendEntriesUseBatch": False},
    # Commands are collected for 5 ms: the best with many in flight.
    "batch": {"appendEntriesUseBatch": True, "appendEntriesPeriod": 0.005},
}
SERVER_PORTS = 10


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One call of a client: a put of `value` under each key, or a get of each."""

    number: int
    kind: Kind
    keys: list[str]
    value: bytes = b""


class RequestFrame(msgspec.Struct, frozen=True, array_like=True):
    """From a client to a server."""

    asked: list[Asked] = []
    asks_for_leader: bool = False


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """failed: how many of the call's commands did.  value: of the last one."""

    number: int
    failed: int
    value: bytes = b""


class AnswerFrame(msgspec.Struct, frozen=True, array_like=True):
    """From a server to a client."""

    answers: list[Answer]


def engine_port(base: int, index: int) -> int:
    """Where server `index` talks to the others."""
    return base + index * SERVER_PORTS


def front_port(base: int, index: int) -> int:
    """Where server `index` talks to clients."""
    return engine_port(base, index) + 1
