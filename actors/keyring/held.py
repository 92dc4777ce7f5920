"""The ring of this server, in one object that its actors share; and the proof that an operator holds a key of it."""

from __future__ import annotations

import hmac
from hashlib import sha256

from attrs import define

from transport.keys import ClusterKey
from transport.ring import Ring


@define
class HeldRing:
    """ring: what is on the disk, None for a server without keys. applied: what the sockets go by."""

    ring: Ring | None
    applied: Ring | None = None

    def is_proven(self, proof: str, member: str, stage: str, new: str) -> bool:
        """Whether the proof is that of a holder of one of this server's keys."""
        if self.ring is None or not proof.isascii():
            return False
        return any(
            hmac.compare_digest(proof, proof_of(key, member, stage, new)) for key in self.ring.accepted if key.can_serve
        )


def proof_of(key: ClusterKey, member: str, stage: str, new: str) -> str:
    """What shows a server that a request for this step comes from a holder of the server key.

    A command connects as a client does, with the client pair, which must not be enough to change keys. The connection
    is encrypted and the server's identity proven, so nobody else sees the proof; it is good for this one step.
    """
    assert key.server is not None, "only a whole cluster key proves anything"
    text = "\0".join(("quorate keys step", member, stage, new))
    return hmac.new(key.server.secret, text.encode(), sha256).hexdigest()
