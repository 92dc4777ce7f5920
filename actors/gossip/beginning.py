"""What a run of gossip begins with: its own claim among other things, and a line that says whom it looks for.

What lives here: values and pure functions. What does not: what is read from the disk (keeper.py), and the looking
(seeker.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from actors.gossip.dispatches import NOTHING_BEFORE, Dispatching
from actors.gossip.member import Claim, fault_of
from transport.errors import QuorateError
from transport.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.identity import Identity


class IdentityError(QuorateError):
    """This server's name, address or tags break a limit of gossip."""

    exit_code = 2


class Wanted(Struct, frozen=True):
    """What whoever starts this server wants of its gossip."""

    peers: tuple[str, ...] = ()
    """Addresses of servers to join."""
    expect: int = 0
    """How many servers start a cluster together, if there is none; 0 to wait for one."""
    replay: bool = False
    """This server, if it is new, wants the user events that were before it."""
    answers: Callable[[str], bool] = NOTHING_BEFORE.answers
    """Whether a handler here answers queries of a name."""


class Beginning(Struct, frozen=True):
    """What the core is told of the runs before this one, and of what is wanted."""

    own: Claim
    """This server, with an incarnation never used before."""
    cluster_id: str
    """"" for none yet."""
    clock: int
    """The highest Lamport time that an earlier run may have used; CLOCK_RESERVE further ones are on disk for this."""
    reserved: int
    """Incarnations up to and with this one are on disk."""
    expect: int = 0
    """How many servers start a cluster together, if there is none; 0 to wait for one."""
    dispatching: Dispatching = NOTHING_BEFORE
    """What user events and queries need to know."""


def own_claim(identity: Identity, incarnation: int, tags: dict[str, str]) -> Claim:
    """What this server says of itself first. Raises IdentityError."""
    claim = Claim(identity.id, identity.name, identity.address, tags, incarnation, lamport=0)
    fault = fault_of(claim)
    if fault:
        raise IdentityError(f"cannot join a cluster as {identity.name}: {fault}")
    return claim


def outlook(cluster_id: str, peers: Sequence[str], *, expect: int, remembered: int) -> str:
    """For the log: what this server is about to do. remembered: how many members it knew before."""
    named = ", ".join(peers)
    if not cluster_id and expect:
        return f"starting a cluster of {expect} servers with {named}; asking each whether it has one already"
    if not cluster_id:
        return f"joining through {named}; until a peer answers this server does nothing else"
    if remembered or peers:
        return f"looking for cluster {cluster_id}: {counted(remembered, 'remembered member')}, peers: {named or 'none'}"
    return f"cluster {cluster_id}, alone so far"
