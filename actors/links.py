"""The links actor: owns the sockets to other servers and clients, so that its supervisor can make them anew.

What lives here: opening and closing the links, and passing on what they notice.  What does not: frames.  A frame goes
from a ref straight into the links and from the links straight into a mailbox; a hop through this actor's own mailbox
would cost every message twice (transport/links/links.py, actors/runtime/system.py).
"""

import asyncio

from actors.config import NodeConfig
from actors.gossip.messages import NoLink, SuspectDead
from actors.identity import Identity
from actors.keyring.held import HeldRing
from actors.keyring.messages import UseRing
from actors.raft.messages import PeerGone
from actors.runtime.actor import Actor, Context, Sender, handles
from actors.runtime.system import System
from transport.client.protocol import RESPONSE, Code, Request, Response
from transport.links.links import LinkConfig, Links
from transport.links.listener import Arrival
from transport.stamp import Letter
from transport.wire import Header, WireError, decode_body, encode_body

LINGER_MS = 200
"""How long frames that are under way may still leave when the links close: a last acknowledgement, a farewell."""


class LinksActor(Actor):
    """Links while it lives; ``links`` is what fault hooks and statistics look at."""

    def __init__(
        self, context: Context, *, system: System, identity: Identity, config: NodeConfig, held: HeldRing
    ) -> None:
        super().__init__(context)
        self._system = system
        self._identity = identity
        self._gossip = context.ref("gossip")
        self._raft = context.ref("raft")
        self._held = held
        self.links = Links(
            system.zmq_context,
            LinkConfig(config.bind, config.advertised, identity.id, identity.boot, held.ring),
            cluster_id=lambda: identity.cluster_id,
            on_frames=self._on_frames,
            on_dead=self._on_dead,
            on_no_link=lambda address, reason: self._gossip.tell(NoLink(address, reason)),
            clock=context.now,
        )

    async def on_start(self) -> None:
        """Take the address.  A taken port is an error for the person who starts the server."""
        self.links.open(asyncio.get_running_loop())
        self._identity.address = self.links.advertised_address
        self._system.attach_links(self.links)
        self._held.applied = self._held.ring

    @handles(UseRing)
    def _on_use_ring(self, msg: UseRing, sender: Sender) -> None:
        """A rotation of the key has come a stage further."""
        if self._held.ring is not None and self._held.ring != self._held.applied:
            self.links.use_ring(self._held.ring)
            self._held.applied = self._held.ring

    async def on_stop(self) -> None:
        """Give the address back."""
        self._system.attach_links(None)
        self.links.close(linger_ms=LINGER_MS)

    def _on_frames(self, arrived: list[Arrival]) -> None:
        self._system.pump.open_delivery()
        for header, origin, body, routing_id in arrived:
            if not self._system.deliver(header, origin, body, routing_id) and routing_id is not None:
                self._refuse_client(header, body, routing_id)
        self._system.pump.end_delivery()

    def _refuse_client(self, header: Header, body: bytes, routing_id: bytes) -> None:
        """A client whose request finds the gateway's mailbox full learns so at once, and not by waiting."""
        try:
            request: Request = decode_body(header.kind, body)
        except WireError:
            return
        response = Response(request.id, Code.OVERLOADED, b"", "the gateway's mailbox is full: try again")
        self.links.reply(routing_id, Letter("", RESPONSE, encode_body(response)))

    def _on_dead(self, address: str, reason: str) -> None:
        self._system.peer_died(address, reason)
        self._raft.tell(PeerGone(address))
        self._gossip.tell(SuspectDead(address, reason))
