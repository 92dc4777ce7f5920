"""Those who have asked to join addresses and wait to hear how it went.

What lives here: which addresses each still waits for, and its answer. What does not: the joining (seeker.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from msgspec import Struct, field

from transport.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Sequence

ADDRESSES_MAX: Final = 100

AskerT = TypeVar("AskerT")


class JoinAsk(Struct, Generic[AskerT]):
    """One of them. failed: address to reason."""

    asker: AskerT
    waiting: set[str]
    failed: dict[str, str]
    joined: list[str] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any]:
        """What to tell it, JSON-like: ok if any address was joined."""
        reason = "; ".join(f"{address}: {why}" for address, why in sorted(self.failed.items()))
        return {
            "ok": bool(self.joined),
            "reason": "" if self.joined else reason,
            "joined": sorted(self.joined),
            "failed": self.failed,
        }


class JoinAsks(Generic[AskerT]):
    """All of them."""

    def __init__(self) -> None:
        self._asks: list[JoinAsk[AskerT]] = []

    def add(self, asker: AskerT, addresses: Sequence[str]) -> list[str]:
        """Somebody waits for these addresses, of which those are returned that are some."""
        faults = {address: _fault_of(address) for address in addresses[:ADDRESSES_MAX]}
        sound = [address for address, fault in faults.items() if not fault]
        self._asks.append(JoinAsk(asker, set(sound), {address: fault for address, fault in faults.items() if fault}))
        return sound

    def done(self, address: str, reason: str) -> None:
        """An address was joined, or was not for a reason."""
        for ask in self._asks:
            if address in ask.waiting:
                ask.waiting.discard(address)
                if reason:
                    ask.failed[address] = reason
                else:
                    ask.joined.append(address)

    def take_answered(self) -> list[JoinAsk[AskerT]]:
        """Those who wait for nothing any more; they are forgotten here."""
        answered = [ask for ask in self._asks if not ask.waiting]
        self._asks = [ask for ask in self._asks if ask.waiting]
        return answered


def _fault_of(address: str) -> str:
    try:
        parse_address(address)
    except ValueError as error:
        return str(error)
    return ""
