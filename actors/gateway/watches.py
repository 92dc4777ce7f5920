"""Questions for what comes next: who asks what was changed after a revision is answered when something was.

What lives here: which questions wait, for which key or prefix, and which answer is whose.  Pure: events and the time
in, effects out.  What does not: what was changed (storage/history.py, which Raft's actor reads), and how a client makes
a stream out of answers (quorate/watch.py).

A watch is a question that may wait, asked again and again, each time after the revision of the last answer.  So the
server owes a slow watcher nothing: no queue grows for it, and when the window of what is known has moved past its
revision it is told "compacted".  And a watch needs no server of its own: any one goes on where another one ended.

1. A question is first asked of the store, as it stands.  What was already changed is its answer.
2. Otherwise it waits, and one reader for all who wait (`_Reader`) asks the store for everything that was changed after
   its cursor, when Raft's actor says that entries were applied.  A change finds its questions by key and by prefix.
3. At its deadline a question is answered with no changes and the revision up to which it has missed none.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

from attrs import define, field

from actors.gateway.calls import DIVERGED, OVERLOADED, refusal
from actors.gateway.effects import Answer
from actors.raft.messages import Follow, Read
from storage.envelope import RAW
from storage.kv_protocol import (
    UNDECODABLE,
    Change,
    Changes,
    Failed,
    KvResult,
    Watch,
    decode_query,
    decode_result,
    encode,
    watch,
)
from transport.client.protocol import STALE, Code, Response, decode_payload, encode_payload
from transport.wire import WireError

if TYPE_CHECKING:
    from actors.gateway.limits import GatewayLimits
    from actors.runtime.actor import Sender
    from transport.client.protocol import Request

WATCH: Final = "watch"
_KEYS_FROM: Final = 1 << 62
"""Keys of this core's questions to Raft lie above all of the gateway's others."""
_ENDED_KEPT: Final = 1_000
"""So many answered questions, and as many as are open, may stand in the list of deadlines."""


@define(eq=False)
class _Question:
    """One that waits for its answer.  after: what came up to this revision is not asked for."""

    sender: Sender
    request_id: int
    key: str
    is_prefix: bool
    after: int
    deadline: float
    is_open: bool = True


@define
class _Reader:
    """The one who reads on for all.  cursor: up to here it has read."""

    cursor: int = 0
    key: int = 0
    """Of its question that is under way, 0 for none."""
    asked: int = 0
    """The cursor of its last question."""
    follows: bool = False
    """Raft's actor has been asked to say when something was applied."""
    applied: int = 0
    """What was applied when it was last told."""


@define
class Watches:
    """The questions of one incarnation of the gateway.  first_key: as GatewayCore's."""

    limits: GatewayLimits
    first_key: int
    _reader: _Reader = field(factory=_Reader, init=False)
    _asked: dict[int, _Question] = field(factory=dict, init=False)
    """By the key under which the store was asked."""
    _waiting: dict[tuple[str, bool], dict[_Question, None]] = field(factory=dict, init=False)
    """By key or prefix."""
    _prefix_sizes: dict[int, int] = field(factory=dict, init=False)
    """How many waiting prefixes there are of each length."""
    _deadlines: list[tuple[float, int, _Question]] = field(factory=list, init=False)
    _open: int = field(default=0, init=False)
    _untaken: list[_Question] = field(factory=list, init=False)
    _queries: list[tuple[int, bytes, str]] = field(factory=list, init=False)
    _follow: Follow | None = field(default=None, init=False)
    _answers: list[Answer] = field(factory=list, init=False)
    _keys: Iterator[int] = field(init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)

    def __attrs_post_init__(self) -> None:
        self._keys = count(_KEYS_FROM + self.first_key)

    @property
    def count(self) -> int:
        """How many questions have no answer yet."""
        return self._open

    # --- events -----------------------------------------------------------------------------------------------------

    def request(self, now: float, sender: Sender, request: Request) -> None:
        """A client asks: the payload is a Watch query's bytes."""
        try:
            query = decode_query(decode_payload(request.payload))
        except (WireError, *UNDECODABLE) as error:
            self._refuse(sender, request.id, Code.BAD_REQUEST, f"a watch that does not decode: {error}")
            return
        if not isinstance(query, Watch) or query.after < 0:
            self._refuse(sender, request.id, Code.BAD_REQUEST, "a watch asks what came after a revision")
        elif self._open >= self.limits.watches_max:
            self._refuse(sender, request.id, OVERLOADED, f"{self._open} watches are open here; try again later")
        else:
            deadline = now + min(max(request.timeout_ms / 1000, 0.0), self.limits.timeout_max_s)
            question = _Question(sender, request.id, query.key, query.is_prefix, query.after, deadline)
            self._open += 1
            self._note_deadline(question)
            self._ask(question)

    def results(self, batch: list[tuple[int, str, bytes]]) -> list[tuple[int, str, bytes]]:
        """Raft answers; returns what is not for this core."""
        for key, code, result in batch:
            if key == self._reader.key:
                self._reader.key = 0
                self._read(code, result)
            elif key in self._asked:
                self._answered(self._asked.pop(key), code, result)
        return [answer for answer in batch if answer[0] < _KEYS_FROM]

    def stirred(self, applied: int) -> None:
        """Raft has applied entries up to this index since it was asked to say so."""
        self._reader.follows = False
        self._reader.applied = applied
        self._read_on()

    def refused(self, message: Read | Follow) -> None:
        """Raft's mailbox did not take this: it is sent again with the next tick."""
        if isinstance(message, Follow):
            self._reader.follows = False
            return
        for key, _, _ in message.batch:
            if key == self._reader.key:
                self._reader.key = 0
            elif key in self._asked:
                self._untaken.append(self._asked.pop(key))

    def raft_died(self) -> None:
        """What it owed is lost, and what waits in its mailbox may come too: everything is asked anew."""
        self._reader = _Reader(self._reader.cursor)
        asked, self._asked = self._asked, {}
        for question in asked.values():
            self._ask(question)
        self._read_on()

    def tick(self, now: float) -> None:
        """Answer those whose deadline has come."""
        while self._deadlines and self._deadlines[0][0] <= now:
            question = heapq.heappop(self._deadlines)[2]
            if question.is_open:
                seen = max(question.after, self._seen(question))
                self._leave(question)
                self._answer(question, encode(Changes([], seen)))
        untaken, self._untaken = self._untaken, []
        for question in untaken:
            self._ask(question)
        self._read_on()

    def flush(self) -> list[Answer | Read | Follow]:
        """Everything that the events since the last flush have led to: answers, and what is for Raft's actor."""
        effects: list[Answer | Read | Follow] = [*self._answers]
        self._answers = []
        if self._queries:
            effects.append(Read(self._queries))
            self._queries = []
        if self._follow is not None:
            effects.append(self._follow)
            self._follow = None
        return effects

    def _note_deadline(self, question: _Question) -> None:
        heapq.heappush(self._deadlines, (question.deadline, next(self._numbers), question))
        if len(self._deadlines) > 2 * self._open + _ENDED_KEPT:
            self._deadlines = [entry for entry in self._deadlines if entry[2].is_open]
            heapq.heapify(self._deadlines)

    # --- one question -----------------------------------------------------------------------------------------------

    def _ask(self, question: _Question) -> None:
        key = next(self._keys)
        self._asked[key] = question
        self._query(key, watch(question.key, question.after, is_prefix=question.is_prefix))

    def _answered(self, question: _Question, code: str, result: bytes) -> None:
        if not question.is_open:
            return
        if code != "ok":
            self._close(question, refusal(question.request_id, code, result.decode(errors="replace")))
            return
        answer = _decoded(result)
        if answer is None:
            why = "this server has another state machine than the key-value store"
            self._close(question, refusal(question.request_id, Code.FAILED, why))
            return
        if not isinstance(answer, Changes) or answer.changes:
            self._answer(question, result)
            return
        question.after = answer.revision
        # Nobody has kept the reader going, or it has gone ahead of what is applied here, for somebody who comes from a
        # server that was: it reads from where this question begins.
        is_first = not self._waiting
        self._reader.cursor = answer.revision if is_first else min(self._reader.cursor, answer.revision)
        self._wait(question)
        self._read_on()

    def _wait(self, question: _Question) -> None:
        place = (question.key, question.is_prefix)
        if place not in self._waiting:
            self._waiting[place] = {}
            if question.is_prefix:
                self._prefix_sizes[len(question.key)] = self._prefix_sizes.get(len(question.key), 0) + 1
        self._waiting[place][question] = None

    def _leave(self, question: _Question) -> None:
        place = (question.key, question.is_prefix)
        group = self._waiting.get(place, {})
        if question not in group:
            return
        del group[question]
        if group:
            return
        del self._waiting[place]
        if question.is_prefix:
            self._prefix_sizes[len(question.key)] -= 1
            if not self._prefix_sizes[len(question.key)]:
                del self._prefix_sizes[len(question.key)]

    def _seen(self, question: _Question) -> int:
        """Up to where a question that waits has missed nothing."""
        return self._reader.cursor if question in self._waiting.get((question.key, question.is_prefix), ()) else 0

    def _answer(self, question: _Question, result: bytes) -> None:
        self._close(question, Response(question.request_id, Code.OK, encode_payload(result)))

    def _close(self, question: _Question, response: Response) -> None:
        question.is_open = False
        self._open -= 1
        self._answers.append(Answer(question.sender, response))

    def _refuse(self, sender: Sender, request_id: int, code: str, why: str) -> None:
        self._answers.append(Answer(sender, refusal(request_id, code, why)))

    # --- the reader -------------------------------------------------------------------------------------------------

    def _read_on(self) -> None:
        reader = self._reader
        if self._waiting and not reader.key and not reader.follows:
            reader.key = next(self._keys)
            reader.asked = reader.cursor
            self._query(reader.key, watch("", reader.cursor, is_prefix=True))

    def _read(self, code: str, result: bytes) -> None:
        """What has been changed since the cursor, or nothing: then Raft will say when there is more."""
        answer = _decoded(result) if code == "ok" else None
        if code == DIVERGED:
            self._end_all(result.decode(errors="replace"))
        elif self._reader.cursor < self._reader.asked:
            self._read_on()  # what it was answered is not all that came after its cursor
        elif isinstance(answer, Failed):
            self._start_again(answer.revision)
        elif isinstance(answer, Changes) and answer.changes:
            self._tell(answer)
            self._read_on()
        else:
            if isinstance(answer, Changes):
                self._reader.cursor = max(self._reader.cursor, answer.revision)
            self._reader.follows = True
            self._follow = Follow(self._reader.applied)

    def _end_all(self, why: str) -> None:
        """What is told here is not the cluster's history."""
        for question in [question for group in self._waiting.values() for question in group]:
            self._leave(question)
            self._close(question, refusal(question.request_id, DIVERGED, why))

    def _start_again(self, floor: int) -> None:
        """The reader fell behind what is known: each question is asked anew, and told so if it did, too."""
        self._reader.cursor = floor
        for question in [question for group in self._waiting.values() for question in group]:
            self._leave(question)
            self._ask(question)

    def _tell(self, answer: Changes) -> None:
        self._reader.cursor = answer.revision
        told: dict[tuple[str, bool], list[Change]] = {}
        for change in answer.changes:
            for place in self._places(change.key):
                told.setdefault(place, []).append(change)
        for place, changes in told.items():
            payload = encode(Changes(changes, answer.revision))
            for question in list(self._waiting[place]):
                new = [change for change in changes if change.revision > question.after]
                if new:
                    self._leave(question)
                    self._answer(
                        question, payload if len(new) == len(changes) else encode(Changes(new, answer.revision))
                    )

    def _places(self, key: str) -> Iterator[tuple[str, bool]]:
        """Where questions wait that a change of this key is an answer to."""
        if (key, False) in self._waiting:
            yield key, False
        for size in self._prefix_sizes:
            if size <= len(key) and (key[:size], True) in self._waiting:
                yield key[:size], True

    def _query(self, key: int, query: bytes) -> None:
        self._queries.append((key, RAW + query, STALE))


def _decoded(result: bytes) -> KvResult | None:
    try:
        return decode_result(result)
    except ValueError:
        return None
