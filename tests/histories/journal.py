"""A journal: the operations of a process that may be killed at any moment, written as they begin and as they end.

What lives here: its lines, and the history of several. What does not: recording (tests/linearizability/recorder.py).

A line is an operation's number in its process and the operation as a history keeps it; the last line of a number is
what is known of it. All processes of a machine have one monotonic clock, so their operations make one history.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from attrs import evolve

from tests.linearizability.history import History, decode, encode
from tests.linearizability.operation import Operation


def line_of(operation: Operation) -> str:
    """An operation's line, as far as it has come."""
    return f"{operation.number} {encode(operation)}"


def read_journal(path: Path) -> list[Operation]:
    """The operations of one process, whose last line may be torn."""
    found: dict[int, Operation] = {}
    for line in path.read_text("utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            number, _, encoded = line.partition(" ")
            found[int(number)] = decode(encoded, int(number))
    return list(found.values())


def merged(*parts: Iterable[Operation]) -> History:
    """One history, numbered by the times at which operations began."""
    operations = sorted((operation for part in parts for operation in part), key=lambda one: one.invoked_s)
    return History(evolve(operation, number=number) for number, operation in enumerate(operations, start=1))
