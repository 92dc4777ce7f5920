"""Why a member is what it is: the last steps that led to its status, for `members --why`.

What lives here: a short ring of entries per member. What does not: what is worth an entry (the parts that act decide)
and how it is shown.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES_PER_MEMBER = 24


class Step(Struct, frozen=True):
    """One step. by: id of the member that did or said it, "" for this server."""

    at: float
    event: str
    by: str
    detail: str


class Trails:
    """The trails of all members something has happened to."""

    def __init__(self) -> None:
        self._steps: dict[str, deque[Step]] = {}

    def add(self, member_id: str, step: Step) -> None:
        """Write down a step; the oldest one makes room."""
        self._steps.setdefault(member_id, deque(maxlen=ENTRIES_PER_MEMBER)).append(step)

    def of(self, member_id: str) -> Iterator[Step]:
        """The steps of one member, oldest first."""
        yield from self._steps.get(member_id, ())

    def last(self, member_id: str) -> str:
        """What the latest step says; "" for a member nothing has happened to."""
        steps = self._steps.get(member_id)
        return steps[-1].detail if steps else ""

    def forget(self, member_id: str) -> None:
        """The member was reaped."""
        self._steps.pop(member_id, None)
