"""A history: the operations of all clients, kept as JSON lines so that a run can be judged again.

What lives here: the list, what makes it unusable, and its file. What does not: recording (recorder.py) and judging
(checker.py).

A line is one operation, and its number in the file is the operation's number:

    {"client": "c1", "key": "k", "function": "cas", "arguments": ["a", "b"], "outcome": "ok", "result": true,
     "invoked_s": 1.25, "returned_s": 1.5}

`returned_s` is null for an operation that never returned. Bytes are written as {"hex": "…"}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import inf, isfinite
from pathlib import Path
from typing import Any

from attrs import field, frozen

from tests.linearizability.operation import Operation, Outcome, Value

_MALFORMED = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


class HistoryError(Exception):
    """A history cannot be judged: a record is malformed or makes no sense. The text is one line."""


def _checked(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    found = tuple(operations)
    numbers = set[int]()
    for operation in found:
        if operation.number in numbers:
            raise HistoryError(f"operation #{operation.number} is there twice")
        numbers.add(operation.number)
        if fault := _fault(operation):
            raise HistoryError(f"operation #{operation.number}: {fault}")
    return found


def _fault(operation: Operation) -> str:
    if not isfinite(operation.invoked_s):
        return f"it was invoked at {operation.invoked_s}"
    if not operation.invoked_s <= operation.returned_s:
        return f"it returned at {operation.returned_s} s, before its invocation at {operation.invoked_s} s"
    if operation.outcome is Outcome.OK and operation.returned_s == inf:
        return "its outcome is ok, and it never returned"
    return ""


@frozen
class History:
    """The operations, in any order. Raises HistoryError for numbers used twice and times that cannot be."""

    operations: tuple[Operation, ...] = field(converter=_checked)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def by_key(self) -> dict[str, list[Operation]]:
        """The operations of each key. A history is linearizable if and only if each of these is (Herlihy and Wing)."""
        parts: dict[str, list[Operation]] = {}
        for operation in self.operations:
            parts.setdefault(operation.key, []).append(operation)
        return parts

    def save(self, path: Path) -> None:
        """Write the file, in the order of the operations' numbers. They are numbered anew when the file is loaded."""
        ordered = sorted(self.operations, key=lambda operation: operation.number)
        path.write_text("".join(encode(operation) + "\n" for operation in ordered), "utf-8")

    @classmethod
    def load(cls, path: Path) -> History:
        """Read a file. Raises HistoryError with the line that is wrong, and OSError."""
        operations = []
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                operations.append(decode(line, number))
            except _MALFORMED as error:
                what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
                raise HistoryError(f"{path}:{number}: this is no operation: {what}") from None
        return cls(operations)


def encode(operation: Operation) -> str:
    """The operation as one line of JSON."""
    return json.dumps(
        {
            "client": operation.client,
            "key": operation.key,
            "function": operation.function,
            "arguments": [_encoded(argument) for argument in operation.arguments],
            "outcome": operation.outcome.value,
            "result": _encoded(operation.result),
            "invoked_s": operation.invoked_s,
            "returned_s": None if operation.returned_s == inf else operation.returned_s,
        }
    )


def decode(line: str | bytes, number: int) -> Operation:
    """The operation of one line. Raises one of _MALFORMED when it is none."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise TypeError("it is not an object")
    if not isinstance(record["arguments"], list):
        raise TypeError("its arguments are no list")
    returned = record["returned_s"]
    return Operation(
        number=number,
        client=_text(record["client"]),
        key=_text(record["key"]),
        function=_text(record["function"]),
        arguments=tuple(_decoded(argument) for argument in record["arguments"]),
        outcome=Outcome(record["outcome"]),
        result=_decoded(record["result"]),
        invoked_s=float(record["invoked_s"]),
        returned_s=inf if returned is None else float(returned),
    )


def _encoded(value: Value) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _decoded(value: Any) -> Value:
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{value!r} is no value")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
