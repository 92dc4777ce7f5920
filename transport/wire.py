"""The wire codec: what a frame is, and which message class stands behind which kind.

A frame is one byte string: two bytes of header length (big-endian), the header, the body. Frames in a local mailbox and
frames between servers are the same, so one kind of ref serves both; but between servers only the first frame of a
connection says who made it (docs/design.md, Frames). Sockets, limits and the decision whether a frame is welcome are
not here.

Rules:
1. Nothing is ever unpickled. Header and body are MessagePack, decoded by msgspec into one closed type per kind. The
   kind is in the header: a body does not say what it is, and whoever only hands it on need not know.
2. Whatever bytes come in, `unpack` and `decode_body` either return or raise `WireError`.
3. The first element of a header is the protocol version, in every version there will ever be: that is how a frame
   of another version is told apart from garbage.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

PROTOCOL_VERSION = 3

_LENGTH_BYTES = 2
_HEADER_BYTES_MAX = 2 ** (8 * _LENGTH_BYTES) - 1
# What msgspec raises on hostile input: DecodeError and UnicodeDecodeError are ValueErrors, deep nesting is a
# RecursionError, an unhashable map key a TypeError.
_UNDECODABLE = (ValueError, TypeError, OverflowError, RecursionError)

T = TypeVar("T")


class WireError(Exception):
    """A frame or a body that cannot be understood. Never ends a server: the frame is counted and dropped."""


class OtherVersionError(WireError):
    """A frame of another protocol version."""


class Origin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who made a frame. All frames of a session have the same, but that a server may find a cluster meanwhile."""

    sender: str = ""
    """Id of the sending server, "" for a client."""
    address: str = ""
    """Advertised address of the sender, "" for a client."""
    cluster_id: str = ""
    """Cluster of the sender, "" when it has none yet."""
    incarnation: int = 0
    """Boot count of the sending process."""
    session: int = 0
    """Which connection object of the sender made the frame; 0 in a local mailbox."""


CLIENT = Origin()
"""Of what a client says."""


class Header(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the runtime and the links need to know of a frame without decoding its body.

    Array-like, which is the shortest form: it is made and read for every message.
    """

    version: int
    to: str
    """Name of the receiving actor."""
    kind: str
    actor: str
    """Name of the sending actor, or ""."""
    sequence: int
    """Position of the frame in its session, from 1; 0 in a local mailbox."""
    ask: int
    """0 for a tell, n > 0 for ask number n of the sender, -n for the reply to it."""
    origin: Origin | None
    """None between servers: whoever said so earlier on this connection. None to a client: the server that it asked."""


class _Kind(msgspec.Struct, frozen=True):
    """A registered message class."""

    name: str
    type: type
    urgent: bool
    retry: bool


_kinds: dict[str, _Kind] = {}
_names: dict[type, str] = {}
_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}
_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_any = msgspec.msgpack.Decoder().decode


def message(kind: str, *, urgent: bool = False, retry: bool = True) -> Callable[[type[T]], type[T]]:
    """Register a frozen class, a msgspec Struct as a rule, as the message behind `kind`.

    `urgent` messages take the control lane of a mailbox and the urgent lane between servers. `retry` says whether a
    message whose handler crashed is handed once more to the next incarnation of the actor. Raises ValueError when
    `kind` is taken.
    """

    def register(cls: type[T]) -> type[T]:
        if kind in _kinds:
            raise ValueError(f"message kind {kind!r} is registered twice: {_kinds[kind].type!r} and {cls!r}")
        _kinds[kind] = _Kind(kind, cls, urgent, retry)
        _names[cls] = kind
        return cls

    return register


def kind_of(msg: object) -> str:
    """The kind a message is registered under. Raises TypeError for an object that is no message."""
    try:
        return _names[type(msg)]
    except KeyError:
        raise TypeError(f"{type(msg).__qualname__} is not a registered message class") from None


def is_urgent(kind: str) -> bool:
    """Whether messages of this kind overtake others; False for an unknown kind."""
    known = _kinds.get(kind)
    return known is not None and known.urgent


def is_retried(kind: str) -> bool:
    """Whether a message of this kind is handed over once more after its handler crashed; False for an unknown kind."""
    known = _kinds.get(kind)
    return known is not None and known.retry


def encode_body(msg: object) -> bytes:
    """The body of a message, without its kind. Raises TypeError when it holds something that cannot be encoded."""
    return _encode(msg)


def decode_body(kind: str, body: bytes | memoryview) -> Any:
    """The message of this kind in `body`. Raises WireError when the kind is unknown or the body is not one."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoder_for(kind)
    try:
        return decoder.decode(body)
    except _UNDECODABLE as error:
        raise WireError(f"the body of a {kind!r} message does not decode: {error}") from error


def _decoder_for(kind: str) -> msgspec.msgpack.Decoder[Any]:
    # Made on first use, not on registration: the annotations of a class may name classes defined further down.
    known = _kinds.get(kind)
    if known is None:
        raise WireError(f"unknown message kind {kind!r}")
    decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(known.type)
    _decoders[kind] = decoder
    return decoder


def pack(header: Header, body: bytes) -> bytes:
    """One frame. Raises WireError when the header does not fit its length field (64 KiB)."""
    head = _encode(header)
    if len(head) > _HEADER_BYTES_MAX:
        raise WireError(f"a header of {len(head)} bytes is too large")
    return b"".join((len(head).to_bytes(_LENGTH_BYTES, "big"), head, body))


def head_bytes(frame: bytes | memoryview) -> int:
    """Where the body of a frame begins, if it is one. Raises WireError when it is too short to say so."""
    if len(frame) < _LENGTH_BYTES:
        raise WireError(f"{len(frame)} bytes are too few for a frame")
    return _LENGTH_BYTES + (frame[0] << 8 | frame[1])


def unpack(frame: bytes | memoryview) -> tuple[Header, bytes]:
    """The header and the body of a frame of this protocol version.

    Raises OtherVersionError for a frame of another version, and WireError for anything that is not a frame.
    """
    start = head_bytes(frame)
    if len(frame) < start:
        raise WireError(f"{len(frame)} bytes are too few for a frame")
    head = frame[_LENGTH_BYTES:start]
    try:
        header = _decode_header(head)
    except _UNDECODABLE as error:
        _refuse_other_version(head)
        raise WireError(f"a header does not decode: {error}") from error
    if header.version != PROTOCOL_VERSION:
        raise OtherVersionError(f"protocol version {header.version}, this is version {PROTOCOL_VERSION}")
    return header, bytes(frame[start:])


def _refuse_other_version(head: bytes | memoryview) -> None:
    """Raise OtherVersionError when an undecodable header is a later layout rather than garbage."""
    try:
        fields = _decode_any(head)
    except _UNDECODABLE:
        return
    if isinstance(fields, list) and fields and isinstance(fields[0], int) and fields[0] != PROTOCOL_VERSION:
        raise OtherVersionError(f"protocol version {fields[0]}, this is version {PROTOCOL_VERSION}")


@message("reply.json")
class Json(Struct, frozen=True):
    """A JSON-like value: the generic answer of actors whose answers people and scripts read."""

    value: Any


OTHER_CLUSTER_ERROR = "OtherCluster"
"""Type of the answer to a client that named another cluster than the server's; nothing was done."""

NO_ACTOR = "NoActor"
"""Type of the answer to an ask of an actor that there is not, or not any more; nothing was done."""


@message("reply.error")
class ErrorReply(Struct, frozen=True):
    """The answer to an ask whose handler failed: the error's class name and text."""

    type: str
    message: str
