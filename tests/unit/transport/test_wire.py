"""The codec: frames survive a round trip, and no bytes whatever raise anything but WireError."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transport.wire_messages import Nested, Sample, Urgent
from transport.wire import (
    PROTOCOL_VERSION,
    ErrorReply,
    Header,
    Json,
    Origin,
    OtherVersionError,
    WireError,
    decode_body,
    encode_body,
    is_retried,
    is_urgent,
    kind_of,
    message,
    pack,
    unpack,
)

ORIGIN = Origin("s1", "127.0.0.1:7946", "c1", 3, 7)
HEADER = Header(PROTOCOL_VERSION, "raft", "test.sample", "raft", 42, -5, ORIGIN)


def test_a_frame_survives_the_round_trip() -> None:
    """Every field of a header and every byte of a body come back, from bytes and from a memoryview."""
    frame = pack(HEADER, b"\x00body\xff")

    assert unpack(frame) == (HEADER, b"\x00body\xff")
    assert unpack(memoryview(frame)) == (HEADER, b"\x00body\xff")


def test_a_message_survives_the_round_trip() -> None:
    """Nested classes, tuples and bytes keep their types: the raft engine compares tuples."""
    msg = Sample(name="ü", entries=[(b"\x00", 2, 1)], nested=Nested(one=1, some=("a", None)))

    assert decode_body(kind_of(msg), encode_body(msg)) == msg
    assert decode_body("test.sample", memoryview(encode_body(msg))) == msg


@pytest.mark.parametrize("value", [None, 1, 1.5, "x", [1, {"a": [True, None]}], {"k": {"n": 2**63}}, b"\x00"])
def test_json_carries_plain_values(value: Any) -> None:
    """The generic reply carries any JSON-like value unchanged."""
    assert decode_body("reply.json", encode_body(Json(value))) == Json(value)


def test_kinds_carry_their_lane_and_retry() -> None:
    """What a class was registered with is known by kind, without the class; an unknown kind has no privileges."""
    assert kind_of(Urgent()) == "test.urgent"
    assert (is_urgent("test.urgent"), is_retried("test.urgent")) == (True, False)
    assert (is_urgent("test.sample"), is_retried("test.sample")) == (False, True)
    assert (is_urgent("no.such"), is_retried("no.such")) == (False, False)


def test_a_kind_is_registered_once() -> None:
    """Two classes of one kind would decode as each other: refused when the second is defined."""
    with pytest.raises(ValueError, match="registered twice"):
        message("reply.error")(ErrorReply)


def test_an_unregistered_object_is_no_message() -> None:
    """Sending something that is not a message is a mistake of the sender's code, named by its class."""
    with pytest.raises(TypeError, match="dict is not a registered"):
        kind_of({})


def test_unknown_kinds_and_wrong_bodies_are_wire_errors() -> None:
    """A kind nobody registered, a missing field, a wrong type: each is a WireError that names the kind."""
    for kind, body in [
        ("no.such", b"\x80"),
        ("test.sample", b"\x80"),
        ("test.sample", b""),
        ("test.sample", encode_body(Json(1))),
        ("reply.error", msgspec.msgpack.encode({"type": 1, "message": "x"})),
        ("reply.json", b"\x81\xa5value" + b"\x91" * 100_000),
        ("reply.json", b"\x81\xa5value\xdd\xff\xff\xff\xff"),
    ]:
        with pytest.raises(WireError, match=kind):
            decode_body(kind, body)


def test_half_a_frame_is_a_wire_error() -> None:
    """Every proper prefix of a frame that cuts the header is refused."""
    frame = pack(HEADER, b"")
    for length in range(len(frame)):
        with pytest.raises(WireError):
            unpack(frame[:length])


@pytest.mark.parametrize(
    "fields",
    [[PROTOCOL_VERSION + 1, "c1"], [0], [PROTOCOL_VERSION + 1, *list(msgspec.structs.astuple(HEADER))[1:]]],
)
def test_another_version_is_told_apart_from_garbage(fields: list[Any]) -> None:
    """The first element of a header is the version in every version, whatever else changes behind it."""
    head = msgspec.msgpack.encode(fields)

    with pytest.raises(OtherVersionError):
        unpack(len(head).to_bytes(2, "big") + head + b"body")


def test_a_header_that_does_not_fit_is_refused_by_the_sender() -> None:
    """The length field holds 64 KiB: a larger header must not be cut silently."""
    with pytest.raises(WireError, match="too large"):
        pack(msgspec.structs.replace(HEADER, actor="x" * 70_000), b"")


@given(st.binary(max_size=300))
def test_garbage_never_raises_anything_else(garbage: bytes) -> None:
    """Random bytes, as a frame, as a header and as a body, are a WireError or a value."""
    for attempt in (
        lambda: unpack(garbage),
        lambda: unpack(len(garbage).to_bytes(2, "big") + garbage),
        lambda: decode_body("test.sample", garbage),
        lambda: decode_body("reply.json", b"\x81\xa5value" + garbage),
    ):
        with suppress(WireError):
            attempt()
