"""What the gateway's core wants done, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define
from msgspec import Struct

if TYPE_CHECKING:
    from actors.gateway.messages import Forward, Forwarded
    from actors.raft.messages import Propose, Read
    from actors.runtime.actor import Sender
    from transport.client.protocol import Response


class Answer(Struct, frozen=True):
    """Answer a client."""

    sender: Sender
    response: Response


class ToRaft(Struct, frozen=True):
    """Hand to this server's Raft."""

    message: Propose | Read


class ToGateway(Struct, frozen=True):
    """Send to another server's gateway."""

    address: str
    message: Forward | Forwarded


Effect = Answer | ToRaft | ToGateway


@define
class GatewayStats:
    """Counters since the start of this incarnation of the gateway."""

    requests: int = 0
    forwards: int = 0
    """Frames from other gateways."""
    refused: int = 0
    """Requests turned away by a limit."""
    retried: int = 0
    unknown_outcomes: int = 0
    late_answers: int = 0
    """Answers to attempts that nobody waits for any more."""
