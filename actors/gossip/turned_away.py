"""Who was turned away lately: a server that nobody lets in is somebody's mistake, and a line in a log is easily missed.

What lives here: the last few, with the reason. What does not: why somebody is turned away (admission.py).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

KEPT_MAX = 16
"""One address each: who keeps asking pushes nobody else out."""


class _Refusal(Struct, frozen=True):
    at: float
    name: str
    reason: str


class TurnedAway:
    """The servers that were turned away last, by address."""

    def __init__(self) -> None:
        self._refusals: dict[str, _Refusal] = {}

    def add(self, now: float, address: str, name: str, reason: str) -> None:
        """A server at this address was refused."""
        self._refusals.pop(address, None)
        self._refusals[address] = _Refusal(now, name, reason)
        if len(self._refusals) > KEPT_MAX:
            del self._refusals[next(iter(self._refusals))]

    def remove(self, address: str) -> None:
        """The server at this address was let in."""
        self._refusals.pop(address, None)

    def report(self, now: float) -> list[dict[str, Any]]:
        """For status, the last one first."""
        return [
            {"address": address, "name": one.name, "reason": one.reason, "age_s": round(now - one.at, 1)}
            for address, one in reversed(self._refusals.items())
        ]
