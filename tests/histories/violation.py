"""A violation: one promise that a history shows broken, in one line with the operations that break it.

What lives here: the line, and how operations look in it. What does not: the promises (watch_checker.py,
lock_checker.py, lease_checker.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from math import isfinite

from attrs import frozen

from tests.linearizability.models import shown
from tests.linearizability.operation import Operation

SHOWN_MAX = 8
"""So many arguments of an operation are shown."""


@frozen
class Violation:
    """A promise that was broken, and by what. promise: a member of a checker's own Enum."""

    promise: Enum
    what: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        """One line."""
        events = "; ".join(map(described, self.operations))
        return f"{self.promise.value}: {self.what}: {events}" if events else f"{self.promise.value}: {self.what}"


def described(operation: Operation) -> str:
    """An operation as it looks in a line: its number, what was asked and told, by whom and when."""
    asked = [operation.function, *([repr(operation.key)] if operation.key else [])]
    asked += map(shown, operation.arguments[:SHOWN_MAX])
    if len(operation.arguments) > SHOWN_MAX:
        asked.append("…")
    told = f" → {shown(operation.result)}" if operation.is_definite and operation.result is not None else ""
    status = "" if operation.is_definite else f" ({operation.outcome.value})"
    ended = f"to {operation.returned_s:.3f} s" if isfinite(operation.returned_s) else "s on"
    asked_by = f"of {operation.client} from {operation.invoked_s:.3f} {ended}"
    return f"#{operation.number} {' '.join(asked)}{told}{status} {asked_by}"


def listed(violations: Iterable[Violation], most: int) -> list[str]:
    """The first of each promise's violations as lines, and how many more there are."""
    groups: dict[Enum, list[Violation]] = {}
    for violation in violations:
        groups.setdefault(violation.promise, []).append(violation)
    lines: list[str] = []
    for promise, group in groups.items():
        lines += map(str, group[:most])
        if len(group) > most:
            lines.append(f"{promise.value}: {len(group) - most} more")
    return lines
