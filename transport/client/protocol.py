"""What a client and a server say to each other over ZeroMQ: one request, one response.

Both travel in ordinary frames (transport/wire.py); the `id` is the client's own and comes back unchanged. Payloads are
MessagePack, so that a server can hand a request on to the leader without knowing what it asks for. Which operations
exist and what they do is the gateway's business; how a client finds a server and tries again is the client's.
"""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from transport.wire import WireError, message

GATEWAY = "gateway"
REQUEST = "client.request"
RESPONSE = "client.response"

LINEARIZABLE = "linearizable"
"""A read that is no older than the moment it was asked for."""
STALE = "stale"
"""A read of what one server has, with its age."""
ATTESTED = "attested"
"""A read of what the leader has, with a server's word on who leads: the client makes sure (attestation.py)."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Code(StrEnum):
    """How a request ended."""

    OK = "ok"
    BAD_REQUEST = "bad_request"
    """The request makes no sense to the server; trying again cannot help."""
    NO_LEADER = "no_leader"
    """No leader could be reached in time. The request was certainly not carried out."""
    DIVERGED = "diverged"
    """The server has committed what its cluster has not, and answers no read from that: another server can be asked."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """The request may or may not have been carried out."""
    SESSION_EXPIRED = "session_expired"
    """There is no such session any more. The request was certainly not carried out, this time."""
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    """Too many requests are in progress. The request was certainly not carried out."""
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    """The server understood and will not do it; the message says why."""
    FAILED = "failed"
    TIMEOUT = "timeout"
    """The server had no answer in the time the client gave it."""


NO_GATEWAY = "no_gateway"
"""A code that no gateway sends: the server had none to take the request, which was certainly not carried out."""


@message(REQUEST, retry=False)
class Request(Struct, frozen=True, array_like=True):
    """A client asks. `payload` is MessagePack; its shape depends on `op`."""

    id: int
    op: str
    payload: bytes
    timeout_ms: int


@message(RESPONSE)
class Response(Struct, frozen=True, array_like=True):
    """A server answers request `id`. `message` says in one line why, whenever `code` is not "ok"."""

    id: int
    code: str
    payload: bytes
    message: str = ""


def encode_payload(value: Any) -> bytes:
    """A request's or a response's payload. Raises TypeError for a value MessagePack cannot hold."""
    return _encode(value)


def decode_payload(payload: bytes) -> Any:
    """The value in a payload, in the plain types of MessagePack. Raises WireError when it holds none."""
    try:
        return _decode(payload)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise WireError(f"a payload does not decode: {error}") from error
