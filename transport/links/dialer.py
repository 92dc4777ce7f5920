"""The dialling side: links to other servers, made when needed, closed when idle, capped in number.

A link that goes down is looked into at once by a plain TCP connect; a refused one is evidence that the process is
gone, and is reported. A peer that is heard while our link to it is down is dialled anew rather than left to ZeroMQ's
back-off: it has just come back.

During a rotation of the key a peer that was off may know one of the two keys only: where it turns one away, the other
is tried.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import zmq

from transport.address import Address, parse_address
from transport.errors import AddressError
from transport.keys import ClusterKey
from transport.links.config import LinkConfig
from transport.links.cuts import Cuts
from transport.links.drops import Drops
from transport.links.handshakes import Handshakes
from transport.links.link import Link, LinkState
from transport.links.probe import Outcome, probe_tcp
from transport.links.sockets import make_dealer
from transport.ring import Ring
from transport.stamp import Letter, Stamp

_log = logging.getLogger("quorate.links")

_PROBE_DELAYS_S = (0.0, 0.05, 0.2)
"""A dying process may lose a connection before its port: a connect that succeeds is tried again."""
_PROBE_TIMEOUT_S = 1.0
_SWEEPS_PER_IDLE = 4
_EVICTABLE_AFTER_S = 1.0
_NO_HANDSHAKE = (
    "it answers, but no link comes up: it may hold another key, be stalled, or be no Quorate server; check the port"
)

_Lane = tuple[str, bool]  # (address, urgent)


class Dialer:
    """All links of this server to others."""

    def __init__(
        self,
        ctx: zmq.SyncContext,
        config: LinkConfig,
        *,
        drops: Drops,
        cuts: Cuts,
        on_dead: Callable[[str, str], None],
        on_no_link: Callable[[str, str], object],
        clock: Callable[[], float],
    ) -> None:
        self._ctx = ctx
        self._ring = config.ring
        self._on_spare: set[str] = set()  # addresses where the used key was turned away
        self._limits = config.limits
        self._drops = drops
        self._cuts = cuts
        self._on_dead = on_dead
        self._on_no_link = on_no_link
        self._clock = clock
        self._links: dict[_Lane, Link] = {}
        self._handshakes: dict[_Lane, Handshakes] = {}  # during a rotation of the key
        self._down: dict[str, int] = {}  # address -> dials since it went down
        self._why: dict[str, str] = {}
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._frames_closed = 0
        self._bytes_closed: Counter[str] = Counter()

    def open(self, loop: asyncio.AbstractEventLoop, stamp: Stamp) -> None:
        """Start dialling when asked to send."""
        self._loop = loop
        self._stamp = stamp
        self._sweep_timer = loop.call_later(self._limits.idle_s / _SWEEPS_PER_IDLE, self._sweep)

    def close(self, linger_ms: int = 0) -> None:
        """Close every link; frames under way have `linger_ms` to leave."""
        self._sweep_timer.cancel()
        for probe in self._probes.values():
            probe.cancel()
        self._probes.clear()
        for lane in list(self._links):
            self._close_link(lane, linger_ms)

    def use(self, ring: Ring) -> None:
        """Dial with the keys of this ring from now on; links made with a key that is not the used one are made anew."""
        before, self._ring = self._ring, ring
        self._on_spare.clear()
        for lane, link in list(self._links.items()):
            if before is None or before.used != ring.used or link.state is not LinkState.UP:
                self._close_link(lane)
                self._dial(*lane)

    def send(self, address: str, letter: Letter, urgent: bool) -> bool:
        """Send on the link to `address`, dialling it first if there is none. False when refused; never waits."""
        link = self._links.get((address, urgent))
        if link is None:
            link = self._dial(address, urgent)
        return link is not None and link.send(letter)

    def heard(self, address: str) -> None:
        """The server at `address` has sent us something: if our link to it is down, it is time to dial again."""
        if address in self._down:
            self._redial(address)

    def why_down(self, address: str) -> str:
        """Why there is no link to `address`, as far as known, or ""."""
        return self._why.get(address, "")

    def links(self) -> list[dict[str, Any]]:
        """What each link carries."""
        return [{**link.stats(), "error": self.why_down(link.address)} for link in self._links.values()]

    def totals(self) -> tuple[int, Counter[str]]:
        """Frames, and bytes by the actor they were for, sent since the start, on links closed by now too."""
        links = self._links.values()
        return (
            self._frames_closed + sum(link.frames for link in links),
            sum((link.bytes_to for link in links), self._bytes_closed),
        )

    def _dial(self, address: str, urgent: bool) -> Link | None:
        socket = self._socket_to(address)
        if socket is None:
            return None
        link = Link(
            address,
            socket,
            urgent=urgent,
            stamp=self._stamp,
            limits=self._limits,
            drops=self._drops,
            clock=self._clock,
        )
        self._links[address, urgent] = link
        if self._ring is not None and self._ring.spare is not None:
            self._handshakes[address, urgent] = Handshakes(socket, self._loop, lambda: self._turned_away(address))
        link.open(self._loop, self._on_change)
        self._loop.call_later(self._limits.dial_probe_s, self._look_into, link)
        self._loop.call_later(self._limits.hold_s, link.give_up)
        return link

    def _socket_to(self, address: str) -> zmq.SyncSocket | None:
        """A socket that dials this address; None, and counted why, where there is to be none."""
        if address == self._stamp.address:
            self._drops.quietly("to this server itself")
            return None
        try:
            target = parse_address(address)
        except AddressError as error:
            self._drops.count("bad address", error)
            return None
        if not self._make_room():
            self._drops.count("too many links", f"{self._limits.links_max} links are in use")
            return None
        try:
            return make_dealer(self._ctx, target, self._key_for(address), self._limits)
        except zmq.ZMQError as error:
            self._drops.count("no socket", f"{address}: {error}")
            return None

    def _key_for(self, address: str) -> ClusterKey | None:
        if self._ring is None:
            return None
        return (self._ring.spare if address in self._on_spare else None) or self._ring.used

    def _turned_away(self, address: str) -> None:
        """The peer there does not know the key it was dialled with: from now on the other one is tried."""
        if not self._is_up(address):
            self._on_spare ^= {address}
            for lane in ((address, True), (address, False)):
                if lane in self._links:
                    self._close_link(lane)
                    self._dial(*lane)

    def _make_room(self) -> bool:
        if len(self._links) < self._limits.links_max:
            return True
        lane, link = min(self._links.items(), key=lambda item: item[1].last_used)
        if self._clock() - link.last_used < _EVICTABLE_AFTER_S:
            return False  # its last frames may not have left yet
        self._close_link(lane)
        return True

    def _close_link(self, lane: _Lane, linger_ms: int = 0) -> None:
        link = self._links.pop(lane)
        if lane in self._handshakes:
            self._handshakes.pop(lane).close()
        self._frames_closed += link.frames
        self._bytes_closed += link.bytes_to
        link.close(linger_ms)
        if (link.address, not link.urgent) not in self._links:
            self._down.pop(link.address, None)
            self._why.pop(link.address, None)

    def _redial(self, address: str) -> None:
        dials = self._down[address]
        wait_s = min(self._limits.redial_s * 2**dials, self._limits.reconnect_max_ms / 1000)
        for lane in ((address, True), (address, False)):
            link = self._links.get(lane)
            if link and link.state is LinkState.DOWN and self._clock() - link.dialed_at >= wait_s:
                self._close_link(lane)
                self._down[address] = dials + 1
                self._dial(*lane)

    def _on_change(self, link: Link) -> None:
        address = link.address
        if link.state is LinkState.UP:
            other = self._links.get((address, not link.urgent))
            if other is None or other.state is not LinkState.DOWN:
                self._down.pop(address, None)
                self._why.pop(address, None)
            return
        self._down.setdefault(address, 0)
        if link.stalled:
            self._drops.count("stalled link", f"{address} has acknowledged nothing; dialling again")
            self._close_link((address, link.urgent))
            self._dial(address, link.urgent)
        self._probe_soon(address)

    def _look_into(self, link: Link) -> None:
        if link.state is LinkState.DIALING:
            self._probe_soon(link.address)

    def _probe_soon(self, address: str) -> None:
        if address not in self._probes and address not in self._cuts:
            task = self._loop.create_task(self._probe(address))
            self._probes[address] = task
            task.add_done_callback(lambda _: self._probes.pop(address, None))

    async def _probe(self, address: str) -> None:
        target: Address = parse_address(address)
        for delay_s in _PROBE_DELAYS_S:
            await asyncio.sleep(delay_s)
            if self._is_up(address):
                return
            probe = await probe_tcp(target, _PROBE_TIMEOUT_S)
            if address in self._cuts:
                return
            if probe.outcome is Outcome.REFUSED:
                self._refused(address)
                return
        if self._is_up(address):
            return
        connected = probe.outcome is Outcome.CONNECTED
        if connected and self._down.get(address) == 0:
            self._redial(address)  # back already: once, it need not wait for ZeroMQ's next attempt
            return
        self._why[address] = _NO_HANDSHAKE if connected else probe.text
        self._drops.count("no link", f"{address}: {self._why[address]}")
        self._on_no_link(address, self._why[address])

    def _is_up(self, address: str) -> bool:
        lanes = (self._links.get((address, urgent)) for urgent in (True, False))
        states = [link.state for link in lanes if link is not None]
        return LinkState.UP in states or not states

    def _refused(self, address: str) -> None:
        self._why[address] = "connection refused"
        for urgent in (True, False):
            link = self._links.get((address, urgent))
            if link is not None:
                link.give_up()
        try:
            self._on_dead(address, "connection refused")
        except Exception:
            _log.exception("reporting the refused connection of %s failed", address)

    def _sweep(self) -> None:
        self._sweep_timer = self._loop.call_later(self._limits.idle_s / _SWEEPS_PER_IDLE, self._sweep)
        oldest = self._clock() - self._limits.idle_s
        for lane, link in list(self._links.items()):
            if link.last_used < oldest:
                self._close_link(lane)
