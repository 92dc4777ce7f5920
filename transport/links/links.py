"""Links: all the network traffic of one server, other servers and clients alike, on its one address.

Data flows DEALER -> ROUTER only: we send on links of our own (dialer.py, link.py) and receive at one entrance
(entrance.py, listener.py). Two lanes to a server keep gossip, votes and heartbeats ahead of entries and snapshots. This
module only puts the parts together; what a frame's body means is the runtime's and the actors' business.

Single thread: everything runs on the event loop given to `open`, and nothing here ever waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import zmq

from transport.address import Address, format_address, parse_address
from transport.links.config import LinkConfig
from transport.links.cuts import Cuts
from transport.links.dialer import Dialer
from transport.links.drops import Drops
from transport.links.entrance import Entrance
from transport.links.listener import OnFrames
from transport.links.port import check_free
from transport.ring import Ring
from transport.stamp import Letter, Stamp

__all__ = ["LinkConfig", "Links", "check_free"]


class Links:
    """A server's place on the network.

    `cluster_id()` is asked whenever a frame is made or judged. `on_frames(arrived)` gets the frames let in, as many as
    were read in one go. `on_dead(address, reason)` reports evidence that the process behind an address is gone,
    `on_no_link(address, reason)` why no link to it comes up, which is none. `clock()` is monotonic seconds.
    """

    def __init__(
        self,
        zmq_ctx: zmq.SyncContext,
        config: LinkConfig,
        *,
        cluster_id: Callable[[], str],
        on_frames: OnFrames,
        on_dead: Callable[[str, str], None],
        on_no_link: Callable[[str, str], object],
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._cluster_id = cluster_id
        self._drops = Drops(clock)
        self._cuts = Cuts()
        self._entrance = Entrance(zmq_ctx, config, drops=self._drops, cuts=self._cuts, on_frames=on_frames)
        self._dialer = Dialer(
            zmq_ctx,
            config,
            drops=self._drops,
            cuts=self._cuts,
            on_dead=on_dead,
            on_no_link=on_no_link,
            clock=clock,
        )
        self._bound: Address | None = None
        self._advertised = config.advertise

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the address and start. Raises LinkError when that is impossible: in use, not ours, no right to it.

        A port that this process closed a moment ago may be waited for, half a second at most.
        """
        bound = self._entrance.bind()
        advertise = parse_address(self._config.advertise)
        self._advertised = format_address(advertise.host, advertise.port or bound.port)
        config = self._config
        stamp = Stamp(config.server_id, config.incarnation, self._advertised, self._cluster_id)
        self._entrance.open(loop, stamp, self._dialer.heard)
        self._dialer.open(loop, stamp)
        self._bound = bound

    def close(self, *, linger_ms: int = 0) -> None:
        """Stop; frames still under way have `linger_ms` to leave."""
        if self._bound is not None:
            self._bound = None
            self._dialer.close(linger_ms)
            self._entrance.close(linger_ms)

    @property
    def bound_address(self) -> str:
        """Where this server listens, with the real port, or "" while closed."""
        return str(self._bound) if self._bound else ""

    @property
    def advertised_address(self) -> str:
        """Where others reach this server."""
        return self._advertised

    def send(self, address: str, letter: Letter, *, urgent: bool) -> bool:
        """Send a letter to an actor of the server at `address`.

        False when it is certainly not sent: no connection, a full window, too many links, a frame too large, one's own
        address. True promises nothing: the network may lose it. Never waits.
        """
        if self._bound is None:
            return False
        if address in self._cuts.outbound:
            self._drops.quietly("cut")
            return True  # as on a network that is cut: the sender does not learn it
        return self._dialer.send(address, letter, urgent)

    def reply(self, routing_id: bytes, letter: Letter) -> bool:
        """Send a letter to the client behind `routing_id`. False when it is gone or reads too slowly."""
        return self._bound is not None and self._entrance.reply(routing_id, letter)

    def use_ring(self, ring: Ring) -> None:
        """Accept and dial with these keys from now on; connections that this concerns are cut, and made anew."""
        if self._bound is not None:
            self._entrance.accept(ring.accepted)
            self._dialer.use(ring)

    def cut(self, address: str, *, inbound: bool, outbound: bool) -> None:
        """Fault hook: drop frames from (`inbound`) or to (`outbound`) the server advertised at `address`."""
        self._cuts.cut(address, inbound=inbound, outbound=outbound)

    def heal(self) -> None:
        """Fault hook: undo every cut."""
        self._cuts.heal()

    def why_down(self, address: str) -> str:
        """Why there is no link to `address`, in words, or "" when nothing is known against it."""
        return self._dialer.why_down(address)

    def stats(self) -> dict[str, Any]:
        """Counts since the start, what was dropped by reason, and the links as they are."""
        frames_out, bytes_to = self._dialer.totals()
        return {
            "bound": self.bound_address,
            "address": self._advertised,
            "secured": self._config.ring is not None,
            **self._entrance.counts(),
            "frames_out": frames_out,
            "bytes_out": bytes_to.total(),
            "bytes_out_to": dict(bytes_to),
            "dropped": self._drops.counts(),
            "cut": {"inbound": sorted(self._cuts.inbound), "outbound": sorted(self._cuts.outbound)},
            "links": self._dialer.links(),
        }
