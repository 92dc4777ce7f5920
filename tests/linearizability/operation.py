"""One operation of a client: what it asked, what it was told, and when.

What lives here: the record alone. What does not: what the operation means (models.py), and how records are made, kept
and read (recorder.py, history.py).
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import TypeAlias

from attrs import evolve, frozen

Value: TypeAlias = bool | int | str | bytes | None
"""What a register may hold and an operation may return. None: there is no value."""


class Outcome(Enum):
    """What the client knows of its operation when it is over."""

    OK = "ok"
    """It was carried out, between its invocation and its return, and gave its result."""
    FAILED = "failed"
    """It was certainly not carried out."""
    UNKNOWN = "unknown"
    """It may be carried out at any time after its invocation, or never."""


@frozen
class Operation:
    """number: unique in its history, from 1. invoked_s, returned_s: on one clock for all clients, in seconds.

    returned_s is when the client was told or gave up; infinite if neither happened. key: the object; operations of
    different keys have nothing to do with each other.
    """

    number: int
    client: str
    key: str
    function: str
    arguments: tuple[Value, ...]
    outcome: Outcome
    result: Value
    invoked_s: float
    returned_s: float

    @property
    def closes_s(self) -> float:
        """The time by which it has been carried out; infinite if it need not be carried out at all."""
        return self.returned_s if self.outcome is Outcome.OK else inf

    @property
    def is_definite(self) -> bool:
        """Whether it was certainly carried out."""
        return self.outcome is Outcome.OK

    def precedes(self, other: Operation) -> bool:
        """Whether it was over before the other began. Equal times tell nothing: the two may be in either order."""
        return self.closes_s < other.invoked_s

    def opened(self) -> Operation:
        """The same operation if nothing had been heard of it: carried out from its invocation on, or never."""
        return evolve(self, outcome=Outcome.UNKNOWN, result=None, returned_s=inf)

    def floating(self) -> Operation:
        """The same operation free of real time: carried out at any time at all, or never.

        Whatever cannot be ordered with this in its place cannot be ordered with the operation itself.
        """
        return evolve(self.opened(), invoked_s=-inf)
