"""What hand-made histories of watches are written with. Events take place one after the other, a second each."""

from __future__ import annotations

from attrs import evolve

from tests.linearizability.history import History
from tests.linearizability.operation import Operation, Outcome, Value

Span = tuple[float, float]


def write(revision: int | None, *pairs: Value, client: str = "c") -> Operation:
    """A write that was acknowledged, with None one that changed nothing."""
    return _made(client, "", "write", *pairs, result=revision)


def lost(*pairs: Value) -> Operation:
    """A write of unknown outcome."""
    return evolve(_made("c", "", "write", *pairs), outcome=Outcome.UNKNOWN)


def failed(*pairs: Value) -> Operation:
    """A write that certainly was not made."""
    return evolve(_made("c", "", "write", *pairs), outcome=Outcome.FAILED)


def watch(after: int = 0, key: str = "", *, is_prefix: bool = True, client: str = "w") -> Operation:
    """The beginning of a stream, of everything if nothing else is said."""
    return evolve(_made(client, key, "watch", is_prefix, after), outcome=Outcome.UNKNOWN)


def update(revision: int, *pairs: Value, key: str = "", client: str = "w") -> Operation:
    """What a stream told."""
    return _made(client, key, "update", revision, *pairs)


def bookmark(revision: int, key: str = "", client: str = "w") -> Operation:
    """That nothing is missing up to here."""
    return _made(client, key, "bookmark", revision)


def compacted(revision: int, key: str = "", client: str = "w") -> Operation:
    """That what was asked for is not known any more."""
    return _made(client, key, "compacted", revision)


def read(key: str, revision: int, value: Value) -> Operation:
    """A key as it was at a revision."""
    return _made("r", key, "read", revision, result=value)


def during(span: Span, operation: Operation) -> Operation:
    """The operation at another time than its place says."""
    return evolve(operation, invoked_s=span[0], returned_s=span[1])


def tell(*operations: Operation) -> History:
    """The operations, numbered as they are told; each in the second of its number, if nothing else was said."""
    return History(
        evolve(operation, number=number)
        if operation.returned_s
        else evolve(operation, number=number, invoked_s=number, returned_s=number + 0.5)
        for number, operation in enumerate(operations, start=1)
    )


def _made(client: str, key: str, function: str, *arguments: Value, result: Value = None) -> Operation:
    return Operation(0, client, key, function, arguments, Outcome.OK, result, 0.0, 0.0)
