"""What an idle cluster sends: one ping and its answer a second and server. They are to be short."""

from __future__ import annotations

from actors.gossip.coordinates import Coordinate, pack
from actors.gossip.messages import Ack, Ping
from storage.data_dir import ID_BYTES
from transport.wire import PROTOCOL_VERSION, Header, encode_body, kind_of
from transport.wire import pack as pack_frame

PING_BYTES_MAX = 75
ACK_BYTES_MAX = 120


def frame_bytes(msg: Ping | Ack) -> int:
    """The length of the frame that this message makes between two servers that have met."""
    head = Header(PROTOCOL_VERSION, "gossip", kind_of(msg), "gossip", 10_000, 0, None)
    return len(pack_frame(head, encode_body(msg)))


def test_a_ping_and_its_answer_are_short() -> None:
    """They are as long as names of fields, once in the body, and the sender's, in the head, would make most of them."""
    target = "f" * 2 * ID_BYTES
    assert frame_bytes(Ping(2**31, target, [])) <= PING_BYTES_MAX
    assert frame_bytes(Ack(2**31, target, [], 2**63, pack(Coordinate()))) <= ACK_BYTES_MAX
