"""Which incoming frames are let in: pure rules on a frame's header and the key it came with.

1. A frame that names a sender is a server's: it needs the server key. A client's key cannot speak as a server.
2. A frame without a sender is a client's: it may only be a request to the gateway, under the client key.
3. A frame of another cluster is refused, and a client hears why; but for the join handshake: gossip answers it, so that
   the joiner learns why.
4. As long as this server or the sender has no cluster, gossip alone hears it. Raft would follow any leader that still
   sends to this address, that of a dead server whose vote it keeps, say.

Without keys there is no user, and only the rest of the rules holds.
"""

from __future__ import annotations

from transport.client.protocol import GATEWAY, REQUEST
from transport.wire import Header, Origin
from transport.zap import CLIENT_USER, SERVER_USER

OTHER_CLUSTER = "other cluster"
GOSSIP = "gossip"
JOIN_KINDS = frozenset({"gossip.join", "gossip.joined", "gossip.join_refused"})


def refusal(header: Header, origin: Origin, user: str | None, cluster_id: str) -> str:
    """Why a frame is refused, or "" when it is let in. `user` is ZAP's user id, None when there are no keys."""
    if origin.sender:
        if user is not None and user != SERVER_USER:
            return "server frame without the server key"
    elif header.to != GATEWAY or header.kind != REQUEST:
        return "not for clients"
    elif user is not None and user != CLIENT_USER:
        return "client frame without the client key"
    theirs = origin.cluster_id
    if theirs == cluster_id or header.kind in JOIN_KINDS:
        return ""
    if theirs and cluster_id:
        return OTHER_CLUSTER
    return OTHER_CLUSTER if origin.sender and header.to != GOSSIP else ""
