"""An explanation for people: one line a client, time running to the right, and what is impossible in words.

What lives here: text. What does not: what it says (explain.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any

from attrs import define, field

from tests.linearizability.explain import Explanation
from tests.linearizability.models import Model, shown
from tests.linearizability.operation import Operation

FLOATING_MAX = 4
DRAWN_MAX = 10
"""More than these cannot be followed side by side: the last to be invoked are drawn, the others listed."""
LISTED_MAX = 30
SPELLED_OUT_MAX = 6


def render(explanation: Explanation, model: Model[Any]) -> str:
    """The explanation as lines of text."""
    core, culprit = explanation.core, explanation.culprit
    drawn, listed = core[-DRAWN_MAX:], core[:-DRAWN_MAX]
    part = f"of its {explanation.operations} operations, {len(core)} cannot be ordered"
    lines = [
        f"key {explanation.key!r} is no {model.name}: {part}, whenever the others took effect",
        "",
        *_timeline(drawn, culprit, model),
        "",
        *(f"  {_details(operation, model)}" for operation in drawn),
        "",
        f"impossible: {_name(culprit, model)}, after {explanation.beginning - 1} others had begun",
    ]
    if explanation.possible:
        lines.append(f"possible here: {', '.join(map(shown, explanation.possible))}")
    if len(core) <= SPELLED_OUT_MAX and (befores := _befores(core)):
        lines.append(f"in real time: {'; '.join(befores)}")
    if listed:
        names = [_name(operation, model) for operation in listed[-LISTED_MAX:]]
        lines.append(f"{len(listed)} that began before these belong to it, the last: {', '.join(names)}")
    for operation in explanation.failed:
        lines.append(f"possible if it had been carried out, but it failed: {_details(operation, model)}")
    for operation in explanation.floating[:FLOATING_MAX]:
        lines.append(f"of no help at any time: {_details(operation, model)}")
    if (more := len(explanation.floating) - FLOATING_MAX) > 0:
        lines.append(f"of no help at any time: {more} more that leave the same values")
    if not explanation.is_smallest:
        lines.append("some questions stayed undecided: a smaller part may do")
    return "\n".join(lines)


def _name(operation: Operation, model: Model[Any]) -> str:
    return f"#{operation.number} {model.describe(operation)} of {operation.client}"


def _details(operation: Operation, model: Model[Any]) -> str:
    returned = f"returned {operation.returned_s:.6f} s" if isfinite(operation.closes_s) else "open"
    return f"{_name(operation, model)}: invoked {operation.invoked_s:.6f} s, {returned}"


def _befores(core: Sequence[Operation]) -> list[str]:
    """Which of them were over before which others began, what follows from these left out."""
    return [
        f"#{earlier.number} was over before #{later.number} began"
        for earlier in core
        for later in core
        if earlier.precedes(later)
        and not any(earlier.precedes(between) and between.precedes(later) for between in core)
    ]


@define
class _Bar:
    """An operation on the timeline, from one column to another."""

    operation: Operation
    text: str
    start: int = 0
    end: int = 0

    def drawn(self) -> str:
        """The bar, as wide as it is long."""
        is_open = self.operation.closes_s == inf
        room = self.end - self.start - len(self.text) - 3
        return f"├ {self.text} {'┄' * room}▶" if is_open else f"├ {self.text} {'─' * room}┤"


@define
class _Row:
    """One line: a client, or what does not fit beside another operation of the same client."""

    client: str
    bars: list[_Bar] = field(factory=list)

    def takes(self, bar: _Bar) -> bool:
        """Whether there is room for it."""
        return self.client == bar.operation.client and all(other.end < bar.start for other in self.bars)

    def drawn(self) -> str:
        """The bars in their places."""
        line = ""
        for bar in self.bars:
            line = line.ljust(bar.start) + bar.drawn()
        return line


def _timeline(core: Sequence[Operation], culprit: Operation, model: Model[Any]) -> list[str]:
    bars = [_Bar(operation, f"#{operation.number} {model.describe(operation)}") for operation in core]
    _place(bars)
    rows: list[_Row] = []
    for bar in bars:
        row = next((row for row in rows if row.takes(bar)), None)
        if row is None:
            # Rows of one client stand together.
            row = _Row(bar.operation.client)
            same = [number for number, other in enumerate(rows) if other.client == row.client]
            rows.insert(same[-1] + 1 if same else len(rows), row)
        row.bars.append(bar)
    width = max(len(row.client) for row in rows)
    return [
        f"  {row.client.ljust(width)}  {row.drawn()}" + ("  ✗" if row.bars[-1].operation is culprit else "")
        for row in rows
    ]


def _place(bars: list[_Bar]) -> None:
    """Give every invocation and return a column, in their order in time; invocations first where times are equal."""
    events = [(bar.operation.invoked_s, 0, number, bar) for number, bar in enumerate(bars)]
    events += [(bar.operation.closes_s, 1, number, bar) for number, bar in enumerate(bars)]
    column = 0
    for _, is_return, _, bar in sorted(events, key=lambda event: event[:3]):
        if is_return:
            bar.end = column = max(column, bar.start + len(bar.text) + 4)
        else:
            bar.start = column
        column += 2
