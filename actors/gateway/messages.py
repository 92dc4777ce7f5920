"""What gateways say to each other, and to themselves.

What lives here: message classes alone.  Requests of clients and their answers are the transport's
(transport/client/protocol.py); what is said to Raft is Raft's (actors/raft/messages.py).

A number that identifies a request is never used twice: keys count up within one gateway, start at another value in each
incarnation of the actor, and `epoch` (the boot count) tells the runs of a server apart.  So an answer that comes late,
twice or from another time finds no request, instead of another one's.
"""

from msgspec import Struct

from transport.wire import message


@message("gateway.forward", retry=False)
class Forward(Struct, frozen=True, array_like=True):
    """To the leader's gateway: commands, or queries to be read linearizably, each with the sender's key.

    One hop: a gateway whose server does not lead answers "not_leader", and the sender tries elsewhere.
    """

    epoch: int
    reads: bool
    batch: list[tuple[int, bytes]]
    timeout_ms: int


@message("gateway.forwarded", retry=False)
class Forwarded(Struct, frozen=True, array_like=True):
    """Back to the gateway that forwarded: (its key, code, result), with the codes of `Results`."""

    epoch: int
    results: list[tuple[int, str, bytes]]
    applied: int
    age_ms: int


@message("gateway.admin", retry=False)
class AdminForward(Struct, frozen=True):
    """An ask to the leader's gateway: an operation that only a leader can carry out; answered with `Response`."""

    op: str
    payload: bytes
    timeout_ms: int


@message("gateway.tick", urgent=True)
class Tick(Struct, frozen=True):
    """The gateway's own timer: deadlines, and another try for what waits for a leader."""
