"""Lone linearizable reads, asked of the leader and of enough followers at the same time (attestation.py says why).

What lives here: one reading's answers, and when the common way is taken after all.  What does not: connections, numbers
and deadlines, which are those of any other ask (asks.py).

Only a read that nobody shares a request with goes this way: many are confirmed by the leader at once, which costs less.
Whatever goes wrong, a follower that stands still or a leader that is none any more, the read is then asked the common
way, and so are those of the next `PAUSE_S`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from transport.client.asks import Asks
from transport.client.attestation import Word, decode_word, is_confirmed
from transport.client.batches import Ask
from transport.client.protocol import ATTESTED
from transport.wire import WireError

PATIENCE_S: Final = 0.25
"""For how long words are waited for: a leader that has to ask for them itself would not wait longer either."""

PAUSE_S: Final = 1.0


class AttestedReads:
    """The lone reads of one client."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._pause_until = 0.0
        self.confirmed = 0
        """How many reads were."""

    def begin(self, now: float, ask: Ask, leader: str, followers: Sequence[str]) -> bool:
        """Ask these servers by their addresses, whose words would do; False when it was not possible."""
        if now < self._pause_until or ask.deadline <= now:
            return False
        ends = min(ask.deadline, now + PATIENCE_S)
        reading = _Reading(self, ask, 1 + len(followers), ends + PAUSE_S)
        for address in (leader, *followers):
            if not self._asks.launch(now, address, [Ask(ATTESTED, ask.body, ends, _Part(reading))]):
                reading.outstanding = 0  # what was sent is answered to nobody
                return False
        return True

    def give_up(self, reading: _Reading) -> None:
        """The words have not confirmed it: ask the common way."""
        self._pause_until = reading.pause_until
        self._asks.add(reading.ask)


@define(eq=False)
class _Reading:
    """One query under way."""

    reads: AttestedReads
    ask: Ask
    outstanding: int
    pause_until: float
    words: list[Word] = field(factory=list)
    leader: Word | None = None
    value: bytes = b""

    def heard(self, answer: bytes | None) -> None:
        """One of the servers has answered, or will not."""
        if not self.outstanding:
            return
        self.outstanding -= 1
        if answer is not None:
            self._weigh(answer)
        if self.leader is not None and is_confirmed(self.leader, self.words):
            self.outstanding = 0
            self.reads.confirmed += 1
            if not self.ask.promise.done():
                self.ask.promise.set_result(self.value)
        elif not self.outstanding:
            self.reads.give_up(self)

    def _weigh(self, answer: bytes) -> None:
        try:
            word, value = decode_word(answer)
        except WireError:
            return
        self.words.append(word)
        if word.voters and (self.leader is None or word.term > self.leader.term):
            self.leader, self.value = word, value


@define(eq=False)
class _Part:
    """The promise of one server's answer."""

    reading: _Reading
    is_done: bool = False

    def done(self) -> bool:
        return self.is_done

    def set_result(self, result: bytes, /) -> None:
        self.is_done = True
        self.reading.heard(result)

    def set_exception(self, exception: BaseException, /) -> None:
        self.is_done = True
        self.reading.heard(None)
