"""Attested reads: a server's word on who leads, which a client weighs itself.

What lives here: what servers say and when it confirms a read.  What does not: whom a client asks (attested.py),
and what makes a server say it (actors/raft/attesting.py).

A lone linearizable read costs a leader a round trip to a majority before it may answer.  Here the client asks the
leader and enough followers at the same time, and the round trip is gone.  Why that is as good (thesis §6.4, by another
road):

1. The leader's word holds what it had committed, and the term and the voters of its latest configuration, at a moment
   after the read began.  A follower's holds its term, at a moment after the read began too.
2. If they are the same term and a majority of those voters, then no leader of a later term was elected before the read
   began: a majority had to vote for it, one of these among them, whose term would have been later from then on, over
   crashes too.  Configurations one change apart have majorities that meet, and nobody makes two changes at a time.
3. So whatever was acknowledged before the read began was committed in this term or an earlier one, and a leader that
   has committed an entry of its own term has all of it.

Without a majority of one term nothing is known, and the read goes the common way.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from transport.wire import WireError

LENGTH_BYTES = 2


class Word(msgspec.Struct, frozen=True, array_like=True):
    """What one server says.  voters: by id, of a leader that has committed an entry of its term; none of others."""

    server: str
    term: int
    voters: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Word).decode


def encode_word(word: Word) -> bytes:
    """The beginning of an answer; the leader's answer to the query follows."""
    encoded = _encode(word)
    return len(encoded).to_bytes(LENGTH_BYTES) + encoded


def decode_word(answer: bytes) -> tuple[Word, bytes]:
    """A server's word, and its answer to the query, b"" of one that does not lead.  Raises WireError."""
    end = LENGTH_BYTES + int.from_bytes(answer[:LENGTH_BYTES])
    try:
        return _decode(answer[LENGTH_BYTES:end]), answer[end:]
    except ValueError as error:
        raise WireError(f"a server's word does not decode: {error}") from error


def is_confirmed(leader: Word, words: Sequence[Word]) -> bool:
    """Whether a majority of the leader's voters is in its term, as they say; the leader's own word counts."""
    agreeing = {word.server for word in (leader, *words) if word.term == leader.term}
    return len(agreeing.intersection(leader.voters)) > len(leader.voters) // 2
