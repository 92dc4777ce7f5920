"""What the gateway admits, and how long it waits: limits, their units and why they are what they are."""

from typing import Final

from attrs import frozen

from transport.limits import COMMAND_BYTES_MAX

TIMEOUT_MAX_S: Final = 60.0
"""No request is kept longer, whatever its client says."""


@frozen
class GatewayLimits:
    """pending_max: commands and queries in progress; beyond it a request is turned away at once, because an answer
    that comes after its deadline helps nobody.  pending_bytes_max: their bytes.
    commands_per_request_max: bounds the work of one request, and so the wait of all others.
    command_bytes_max: Raft's own limit, told to the client before the command travels to the leader.
    timeout_max_s: TIMEOUT_MAX_S.
    forward_bytes_max: commands in one frame to the leader; one command more is always allowed, so that a frame stays
    under forward_bytes_max + command_bytes_max.
    tick_s: how late a deadline may be noticed.
    retry_min_s, retry_max_s: the pause before another try when a server said it does not lead; doubles between the two.
    A new leader's name ends the pause.
    grace_s: how long a request handed to a leader may stay unanswered after leadership moved elsewhere: the old leader
    answers what it knows within a round trip, unless it is dead.
    admin_max: operator requests in progress.
    watches_max: watches that wait for a change.
    """

    pending_max: int = 65_536
    pending_bytes_max: int = 64 * 1024 * 1024
    commands_per_request_max: int = 4_096
    command_bytes_max: int = COMMAND_BYTES_MAX
    timeout_max_s: float = TIMEOUT_MAX_S
    forward_bytes_max: int = 1024 * 1024
    tick_s: float = 0.05
    retry_min_s: float = 0.02
    retry_max_s: float = 0.2
    grace_s: float = 1.0
    admin_max: int = 256
    watches_max: int = 20_000
