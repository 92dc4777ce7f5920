"""What is said about keys: between servers, and between the gateway and the keys actor of its server.

Fingerprints are safe to show. What holds a key itself is left out of every `repr`.
"""

from __future__ import annotations

import msgspec
from attrs import field, frozen

from transport.ring import Ring
from transport.wire import message


@message("keys.request", urgent=True)
class KeysRequest(msgspec.Struct, frozen=True):
    """Which keys a server has (an ask, answered by `KeysReport`)."""


@message("keys.report", urgent=True)
class KeysReport(msgspec.Struct, frozen=True):
    """The keys of a server, by fingerprint; empty for a server without any.

    stage: settled, installed or using (transport/ring.py). holds: the keys that let in, the used one first. retired:
    keys that no longer do. applied: whether its sockets go by them already.
    """

    stage: str = ""
    holds: list[str] = msgspec.field(default_factory=list)
    retired: list[str] = msgspec.field(default_factory=list)
    applied: bool = True


@message("keys.offer", urgent=True, retry=False)
@frozen
class KeysOffer:
    """Another server's ring, to go along with it (an ask, answered by `KeysReport` once it is on the disk)."""

    ring: bytes = field(repr=False)


@message("keys.list")
class KeysList(msgspec.Struct, frozen=True):
    """The keys of every member, for an operator (an ask, answered by Json)."""

    timeout_s: float


@message("keys.step", retry=False)
@frozen
class KeysStep:
    """An operator wants one member to go one stage further towards a new key (an ask, answered by Json).

    member: its id. new: the text of the new key file. proof: of holding the server key, see `proof_of`.
    """

    member: str
    stage: str
    new: str = field(repr=False)
    proof: str = field(repr=False)
    timeout_s: float


@message("keys.tick")
class Tick(msgspec.Struct, frozen=True):
    """Look at the members that may have missed a stage."""


@message("keys.apply")
class Apply(msgspec.Struct, frozen=True):
    """The answers have left: let the sockets go by the new ring."""


@message("links.use_ring", urgent=True)
class UseRing(msgspec.Struct, frozen=True):
    """To the links actor: the server's ring is another one now."""


def report_of(ring: Ring | None, *, applied: bool) -> KeysReport:
    """A ring for others to see."""
    if ring is None:
        return KeysReport()
    return KeysReport(ring.stage.value, [key.fingerprint for key in ring.accepted], list(ring.retired), applied)
