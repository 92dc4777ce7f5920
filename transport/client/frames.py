"""A client's frames: a request as bytes, and the answer to it out of bytes.

What lives here: pure functions that both clients share.  What does not: sockets (dealer.py), and what a code
means for the caller (errors.py).
"""

from __future__ import annotations

from transport.client.errors import IN_DOUBT
from transport.client.protocol import GATEWAY, NO_GATEWAY, REQUEST, RESPONSE, Code, Request, Response
from transport.wire import (
    CLIENT,
    NO_ACTOR,
    OTHER_CLUSTER_ERROR,
    PROTOCOL_VERSION,
    ErrorReply,
    Header,
    Origin,
    WireError,
    decode_body,
    encode_body,
    pack,
    unpack,
)

CHANGES_NOTHING = frozenset(
    {
        "read",
        "watch",
        "session.open",
        "status",
        "health",
        "members",
        "rtt",
        "info",
        "metrics",
        "requests",
        "links",
        "monitor",
        "keys.list",
        "keys.step",
        "raft.peers",
        "actors.list",
        "actors.tree",
        "actors.mailboxes",
        "actors.dead_letters",
        "version",
        "event.watch",
        "query.follow",
    }
)
"""Operations that may be asked again whatever happened to the first time."""

_ERROR_REPLY = "reply.error"
_UNREAD = {"MailboxFull": Code.OVERLOADED, OTHER_CLUSTER_ERROR: Code.NO_LEADER}
"""Errors before anything was done, and what they come to: another server may do it."""


def encode_request(request: Request, origin: Origin = CLIENT) -> bytes:
    """The frame of a request.  It is an ask: should the gateway die over it, its server says so.

    origin: of a client that knows its cluster, see `of_cluster`.
    """
    header = Header(PROTOCOL_VERSION, GATEWAY, REQUEST, "", 0, request.id, origin)
    return pack(header, encode_body(request))


def of_cluster(cluster_id: str) -> Origin:
    """What a client says that wants an answer of this cluster alone: a server of another one refuses its frames."""
    return Origin(cluster_id=cluster_id)


def decode_answer(frame: bytes) -> Response:
    """The answer in a frame.  Raises WireError for anything else."""
    header, body = unpack(frame)
    if header.kind not in (RESPONSE, _ERROR_REPLY):
        raise WireError(f"a server sent {header.kind!r} to a client")
    answer = decode_body(header.kind, body)
    if isinstance(answer, Response):
        return answer
    assert isinstance(answer, ErrorReply), "the other kind that was let through"
    if answer.type == NO_ACTOR:
        # Nobody is in the gateway's place before it is first started and after it was stopped for good.
        why = "the server is starting or stopping: ask another one; nothing was changed"
        return Response(-header.ask, NO_GATEWAY, b"", why)
    # The server's runtime answers in place of the gateway, which has not seen the request, or died over it.
    code = _UNREAD.get(answer.type, Code.OUTCOME_UNKNOWN)
    doubt = IN_DOUBT if code == Code.OUTCOME_UNKNOWN else ""
    return Response(-header.ask, code, b"", answer.message + doubt)
