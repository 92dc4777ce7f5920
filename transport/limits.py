"""The largest command, and the limits of the link layer: everything that could grow or wait has one, with its unit."""

from __future__ import annotations

from typing import Final

from attrs import asdict, frozen

COMMAND_BYTES_MAX: Final = 1024 * 1024
"""The largest command that a client may propose: held by the store, by clients and by Raft's entries."""


@frozen
class LinkLimits:
    """Limits and times of a server's links. The defaults suit one machine as well as a wide-area network."""

    frame_bytes_max: int = 16 * 1024 * 1024
    """Largest frame, both ways. A peer that announces a larger one is disconnected by ZeroMQ before it is read."""
    links_max: int = 128
    """Outgoing links at once. A link is one ZeroMQ socket and about two file descriptors; ZeroMQ has 1023 sockets."""
    idle_s: float = 60.0
    """A link nothing was sent on for this long is closed: gossip probes a stranger a second."""
    window_frames: int = 1_024
    """Frames under way to a peer that it has not acknowledged."""
    window_bytes: int = 32 * 1024 * 1024
    """Bytes under way to a peer on one lane that it has not acknowledged. At least a frame and two `ack_bytes`."""
    window_stall_s: float = 5.0
    """A link whose window stays shut for this long is made anew."""
    ack_frames: int = 64
    """A receiver acknowledges after this many frames …"""
    ack_bytes: int = 128 * 1024
    """… or this many bytes, whichever comes first."""
    held_frames: int = 128
    """Frames held for a link that is being made."""
    held_bytes: int = 16 * 1024 * 1024
    """Bytes held for a link that is being made; one frame always fits."""
    hold_s: float = 1.0
    """How long frames are held: a handshake is four round trips, and a staler frame is worse than none."""
    dial_probe_s: float = 0.03
    """A link not up after this time is looked into by a plain TCP connect. Who joins asks one peer after the other, and
    waits no longer for one where nobody listens; with less, a peer in another data centre, three round trips of ten
    milliseconds away, would be looked into each time."""
    redial_s: float = 0.2
    """A peer that is heard while the link to it is down is dialled at once, at most this often."""
    sessions_max: int = 4_096
    """Incoming sessions whose sequence is followed."""
    batch_frames: int = 256
    """Frames read in one go before other work of the event loop gets its turn."""

    reconnect_ms: int = 100
    reconnect_max_ms: int = 2_000
    """ZeroMQ's own back-off between connection attempts."""
    heartbeat_ms: int = 2_000
    heartbeat_timeout_ms: int = 3_000
    """A half-open link is cut after this silence; without heartbeats it lives for hours."""
    handshake_ms: int = 5_000
    """A connection that has not finished its handshake is cut."""
    receive_hwm_frames: int = 1_000
    """Frames of one peer that wait in memory before TCP holds the peer back."""
    backlog: int = 1_024
    rotation_connections_max: int = 16_384
    """Connections at once while a rotation of the key is under way: each costs three file descriptors then."""

    def __attrs_post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise ValueError(f"{name} is {value}; a limit of a link is more than 0")
        # With less, a few unacknowledged small frames could shut the window for a large one for ever.
        if self.window_bytes < self.frame_bytes_max + 2 * self.ack_bytes or self.window_frames < 2 * self.ack_frames:
            raise ValueError("a link's window must hold a whole frame and two acknowledgements' worth")
