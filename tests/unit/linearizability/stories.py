"""What hand-made histories are written with: who asked what, when, and what came of it."""

from __future__ import annotations

from attrs import evolve

from tests.linearizability.history import History
from tests.linearizability.operation import Operation, Outcome, Value

Span = tuple[float, float]


def ok(client: str, at: Span, function: str, *arguments: Value, gives: Value = None, key: str = "k") -> Operation:
    """An operation that was carried out, from invocation to return."""
    return Operation(0, client, key, function, arguments, Outcome.OK, gives, *at)


def unknown(client: str, at: Span, function: str, *arguments: Value) -> Operation:
    """An operation whose client gave up without an answer."""
    return Operation(0, client, "k", function, arguments, Outcome.UNKNOWN, None, *at)


def failed(client: str, at: Span, function: str, *arguments: Value) -> Operation:
    """An operation that was certainly not carried out."""
    return Operation(0, client, "k", function, arguments, Outcome.FAILED, None, *at)


def tell(*operations: Operation) -> History:
    """The operations as a history, numbered as they are told."""
    return History([evolve(operation, number=number) for number, operation in enumerate(operations, start=1)])


def altered(history: History, results: dict[int, Value]) -> History:
    """The history with other results for some operations, by number."""
    return History([evolve(operation, result=results.get(operation.number, operation.result)) for operation in history])
