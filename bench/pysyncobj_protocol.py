"""What the raw PySyncObj servers and their client say to each other, and how the servers are set.

One frame carries all that was asked, or answered, since the last one, so that the front end costs little.
"""

from typing import Any

import msgspec
from attrs import frozen

from bench.loads import Kind


@frozen
class Configuration:
    """settings: of SyncObjConf.  tick_s: the longest wait for an event.  in_flight: what it may be the best for."""

    settings: dict[str, Any]
    tick_s: float
    in_flight: range


CONFIGURATIONS = {
    # Each command is sent at once.
    "flush": Configuration({"appendEntriesUseBatch": False}, tick_s=0.005, in_flight=range(1, 65)),
    # Commands are collected for so long.  They are sent in a tick, so the ticks have to be short.
    "1 ms": Configuration({"appendEntriesPeriod": 0.001}, tick_s=0.001, in_flight=range(64, 1 << 20)),
    "5 ms": Configuration({"appendEntriesPeriod": 0.005}, tick_s=0.001, in_flight=range(512, 1 << 20)),
}
"""Each load is given to those that may be the best for it, and the best one counts (report.py)."""

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
