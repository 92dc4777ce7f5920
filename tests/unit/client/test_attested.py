"""Lone reads that the client confirms itself (transport/client/attestation.py), or has confirmed the common way."""

from __future__ import annotations

import pytest

from tests.unit.client.asks import A, B, Bench, Promise
from transport.client.attestation import Word, decode_word, encode_word, is_confirmed
from transport.client.attested import PATIENCE_S, PAUSE_S, AttestedReads
from transport.client.batches import Ask
from transport.client.protocol import LINEARIZABLE
from transport.wire import WireError

C = "10.0.0.3:7946"
VOTERS = ["a", "b", "c"]
LEADER = encode_word(Word("a", 7, VOTERS)) + b"value"


class AttestedBench(Bench):
    """One client's lone reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = AttestedReads(self.asks)

    def read(self, *followers: str, now: float = 0.0) -> Promise:
        """Read, with A for the leader."""
        promise = Promise()
        assert self.reads.begin(now, Ask(LINEARIZABLE, b"query", now + 10.0, promise), A, followers)
        return promise


@pytest.mark.parametrize("back", [(1, 2), (2, 1)])
def test_the_leader_and_a_follower_of_its_term_confirm_a_read(back: tuple[int, int]) -> None:
    """Two of three voters, whoever is heard first."""
    bench = AttestedBench()
    promise = bench.read(B)
    assert [(address, request.op) for address, request in bench.sent] == [(A, "read"), (B, "read")]

    words = {2: LEADER, 1: encode_word(Word("b", 7, []))}
    for one in back:
        assert promise.result is None
        bench.answer([words[one], 5, 0], back=one)

    assert promise.result == b"value"
    assert bench.asks.is_idle


@pytest.mark.parametrize(
    "words",
    [
        (LEADER, encode_word(Word("b", 8, []))),  # it may have voted for another leader
        (LEADER, encode_word(Word("b", 6, []))),
        (LEADER, encode_word(Word("d", 7, []))),  # no voter
        (LEADER, LEADER),
        (LEADER, b"\xff\xffnonsense"),
        (encode_word(Word("a", 7, [])), encode_word(Word("b", 7, []))),  # nobody leads
    ],
)
def test_without_a_majority_of_one_term_a_read_goes_the_common_way(words: tuple[bytes, bytes]) -> None:
    """And so do those of a while: whoever leads now has to be found first."""
    bench = AttestedBench()
    promise = bench.read(B)
    bench.answer([words[0], 5, 0], back=2)
    bench.answer([words[1], 5, 0])

    assert bench.flush() == [[[b"query"], "linearizable"]]
    bench.answer([[b"value"], 6, 0])
    assert promise.result == b"value"
    again = Ask(LINEARIZABLE, b"query", 10.0, Promise())
    assert not bench.reads.begin(PATIENCE_S, again, A, [B])
    assert bench.reads.begin(PATIENCE_S + PAUSE_S, again, A, [B])


def test_of_five_two_followers_are_needed() -> None:
    """One alone is no majority with the leader."""
    bench = AttestedBench()
    promise = bench.read(B, C)
    bench.answer([encode_word(Word("a", 7, [*VOTERS, "d", "e"])) + b"value", 5, 0], back=3)
    bench.answer([encode_word(Word("b", 7, [])), 5, 0], back=2)
    assert promise.result is None

    bench.answer([encode_word(Word("c", 7, [])), 5, 0])

    assert promise.result == b"value"


def test_a_server_that_stands_still_is_not_waited_for_long() -> None:
    """The common way asks whoever answers."""
    bench = AttestedBench()
    promise = bench.read(B)
    bench.answer([LEADER, 5, 0], back=2)

    assert bench.asks.expire(PATIENCE_S, "") == {B}

    assert bench.flush(now=PATIENCE_S) == [[[b"query"], "linearizable"]]
    bench.answer([encode_word(Word("b", 7, [])), 5, 0], back=2, now=PATIENCE_S)
    assert promise.result is None, "it comes too late"


def test_a_lost_connection_and_a_closed_client_leave_no_read_behind() -> None:
    """The one is asked again, the other fails."""
    bench = AttestedBench()
    lost, closed = bench.read(B), Promise()
    bench.asks.lost(B, "gone")
    bench.asks.lost(A, "gone")
    assert bench.flush(C) == [[[b"query"], "linearizable"]]
    bench.answer([[b"value"], 6, 0])
    assert lost.result == b"value"

    bench.reads.begin(100.0, Ask(LINEARIZABLE, b"query", 110.0, closed), A, [B])
    bench.asks.end("closed")
    assert closed.error is not None


def test_without_a_connection_nothing_is_begun() -> None:
    """It is the caller's to ask the common way."""
    bench = AttestedBench()
    bench.connected = False

    assert not bench.reads.begin(0.0, Ask(LINEARIZABLE, b"query", 10.0, Promise()), A, [B])


def test_words_travel() -> None:
    """And what is none is found out."""
    assert decode_word(LEADER) == (Word("a", 7, VOTERS), b"value")
    assert decode_word(encode_word(Word("b", 1, []))) == (Word("b", 1, []), b"")
    for answer in (b"", b"\x00", b"\x00\x02\x01\x02", LEADER[:5]):
        with pytest.raises(WireError):
            decode_word(answer)


def test_a_cluster_of_one_confirms_itself() -> None:
    """Its leader is the majority; of two, both are."""
    assert is_confirmed(Word("a", 1, ["a"]), [])
    assert not is_confirmed(Word("a", 1, ["a", "b"]), [Word("a", 1, ["a", "b"])])
    assert not is_confirmed(Word("a", 1, []), [])
