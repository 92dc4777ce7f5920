"""What hand-made histories of locks are written with: everything about one lock and one resource."""

from __future__ import annotations

from attrs import evolve

from tests.linearizability.operation import Operation, Outcome, Value
from tests.unit.histories.watching import during, tell

__all__ = ["during", "tell"]

LOCK, RESOURCE = "lock", "resource"
TTL_MS = 2_000


def grant(lease: int, client: str = "a") -> Operation:
    """A lease of two seconds begins."""
    return _made(client, "", "grant", TTL_MS, result=lease)


def renew(lease: int, *, alive: bool = True, client: str = "a") -> Operation:
    """It is renewed, or found ended."""
    return _made(client, "", "renew", lease, result=alive)


def revoke(lease: int, *, alive: bool = True, client: str = "a") -> Operation:
    """It is ended, or found ended."""
    return _made(client, "", "revoke", lease, result=alive)


def acquire(token: int, client: str = "a") -> Operation:
    """A client gets the lock."""
    return _made(client, LOCK, "acquire", result=token)


def release(token: int, client: str = "a") -> Operation:
    """A client gives the lock back."""
    return _made(client, LOCK, "release", token)


def lost(token: int, client: str = "a") -> Operation:
    """A client is told that it has lost the lock."""
    return _made(client, LOCK, "lost", token)


def holder(token: int | None, client: str = "r") -> Operation:
    """Somebody asks who holds the lock."""
    return _made(client, LOCK, "holder", result=token)


def guarded(token: int, before: Value, value: Value, place: int | None, client: str = "a") -> Operation:
    """A write with a token: taken at a place, or refused."""
    return _made(client, RESOURCE, "guarded", LOCK, token, before, value, result=place)


def seen(place: int, token: int, value: Value) -> Operation:
    """What the resource took."""
    return _made("resource", RESOURCE, "seen", place, token, value)


def unknown(operation: Operation) -> Operation:
    """The same without an answer."""
    return evolve(operation, outcome=Outcome.UNKNOWN, result=None)


def failed(operation: Operation) -> Operation:
    """The same, certainly not done."""
    return evolve(operation, outcome=Outcome.FAILED, result=None)


def _made(client: str, key: str, function: str, *arguments: Value, result: Value = None) -> Operation:
    return Operation(0, client, key, function, arguments, Outcome.OK, result, 0.0, 0.0)
