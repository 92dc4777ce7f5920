"""What a client has asked and not heard yet: queues, what is under way on which server, and deadlines.

What lives here: batching, keeping answers and asks together, and what is asked again.  Time and sockets come in as
arguments; a future is only ever given its result.  What does not: connections (link.py), which server is best
(client.py), and the numbers of a session's commands (session.py).

1. An ask is under way on one server at a time, under a number that is used once.
2. What was certainly not done is asked again after a pause, until its deadline.
3. What may have been done is asked again elsewhere when that does no harm: what changes nothing, and the commands of a
   session, under the sequences they have had.  The rest ends as OutcomeUnknown.
4. At its deadline an ask that was never under way was certainly not carried out; another one may have been.
5. A command that found its session expired at its first attempt gets a number in the next session.  One that may have
   been applied ends as SessionExpired: under another number it could be applied twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field

from transport.client.batches import (
    COMMANDS,
    READS,
    SESSION_COMMANDS,
    WATCH,
    WATCH_MARGIN_S,
    Ask,
    AskLimits,
    decode_values,
    encode_asks,
    is_one_request,
)
from transport.client.errors import (
    IN_DOUBT,
    ClientError,
    OutcomeUnknown,
    Overloaded,
    RequestFailed,
    SessionExpired,
    Unreachable,
    error_of,
)
from transport.client.frames import CHANGES_NOTHING, encode_request
from transport.client.protocol import LINEARIZABLE, NO_GATEWAY, STALE, Code, Request, Response
from transport.client.session import ClientSession
from transport.client.session_protocol import NOT_NOW, SESSION_OPEN, Failure
from transport.client.stale import Stale
from transport.wire import CLIENT, Origin, WireError

ANSWER_MARGIN_S: Final = 0.1
"""A server is given so much less time than there is: what it says at its deadline should arrive before ours."""

ATTEMPT_GRACE_S: Final = 0.25
"""How long after the end of an attempt a server is taken for one that stands still."""

_HARMLESS: Final = CHANGES_NOTHING | READS
_REPEATED: Final = _HARMLESS | {SESSION_COMMANDS}
_IN_ATTEMPTS: Final = READS | {SESSION_COMMANDS, SESSION_OPEN}
_NOT_DONE: Final = frozenset({Code.NO_LEADER, Code.DIVERGED, Code.OVERLOADED, NO_GATEWAY})


@define
class _Flight:
    address: str
    asks: list[Ask]
    started: float
    ends: float


@define
class Asks:
    """All asks of one client.

    send(address, frame): says whether a connection took the frame.  pause(refusals): for how long to leave the cluster
    alone after so many refusals in a row, in seconds.
    """

    limits: AskLimits
    send: Callable[[str, bytes], bool]
    pause: Callable[[int], float]
    origin: Origin = field(default=CLIENT, init=False)
    """What the client says of itself: the cluster that it is of, once it knows (frames.py)."""
    session: ClientSession | None = field(default=None, init=False)
    session_trouble: ClientError | None = field(default=None, init=False)
    """Why there is no session yet."""
    _queues: dict[str, deque[Ask]] = field(init=False)
    _questions: deque[Ask] = field(factory=deque, init=False)
    _flights: dict[int, _Flight] = field(factory=dict, init=False)
    _under_way: int = field(default=0, init=False)
    _last_id: int = field(default=0, init=False)
    _last_size: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)
    _held_until: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._queues = {lane: deque() for lane in (SESSION_COMMANDS, COMMANDS, LINEARIZABLE, STALE)}

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._flights and not any(self._all_queues())

    @property
    def has_queued(self) -> bool:
        """Whether there is anything to send."""
        return any(self._all_queues())

    @property
    def is_lone(self) -> bool:
        """Whether the caller of the latest ask seems to be the only one: nobody waits, and nobody came with the last.

        Then it need not wait for others to share its request.
        """
        return not self._flights and self._last_size == 1

    @property
    def wants_session(self) -> bool:
        """Whether commands wait for a session to be opened."""
        return self.session is None and any(ask.session is None for ask in self._queues[SESSION_COMMANDS])

    def held_s(self, now: float) -> float:
        """For how long nothing is sent, after refusals."""
        return max(0.0, self._held_until - now)

    def waits_since(self, address: str) -> float | None:
        """Since when a server has owed its oldest answer, watches aside; None when it owes none."""
        owed = (one for one in self._flights.values() if one.address == address and one.asks[0].op != WATCH)
        return next((flight.started for flight in owed), None)

    def add(self, ask: Ask) -> None:
        """Queue an ask."""
        self._queue_of(ask).append(ask)

    def use_session(self, session: ClientSession) -> None:
        """The session for the commands that have none."""
        self.session = session
        self.session_trouble = None

    # --- sending ----------------------------------------------------------------------------------------------------

    def flush(self, now: float, address: str) -> None:
        """Send what is queued to a server, as far as the window and the connection allow."""
        if now < self._held_until:
            return
        for queue in self._all_queues():
            while queue and self._under_way < self.limits.under_way_max:
                asks = self._next_batch(queue)
                if not asks:
                    break
                if not self.launch(now, address, asks):
                    queue.extendleft(reversed(asks))
                    return

    def launch(self, now: float, address: str, asks: list[Ask]) -> bool:
        """Send asks that fit into one request to this very server; False when there is no connection to it."""
        self._last_id += 1
        ends = max(ask.deadline for ask in asks)
        timeout_s = ends - now
        if asks[0].op in _IN_ATTEMPTS:
            timeout_s = min(self.limits.attempt_s, max(timeout_s - ANSWER_MARGIN_S, timeout_s / 2))
            ends = min(ends, now + timeout_s + ATTEMPT_GRACE_S)
        elif asks[0].op == WATCH:
            timeout_s = max(timeout_s - WATCH_MARGIN_S, timeout_s / 2)
        op, payload = encode_asks(asks)
        request = Request(self._last_id, op, payload, max(1, round(timeout_s * 1000)))
        if not self.send(address, encode_request(request, self.origin)):
            return False
        self._flights[request.id] = _Flight(address, asks, now, ends)
        self._last_size = len(asks)
        self._under_way += len(asks)
        return True

    def _next_batch(self, queue: deque[Ask]) -> list[Ask]:
        """What goes into one request; nobody's asks left out.  Empty when nothing of this queue can go now."""
        batch: list[Ask] = []
        size = 0
        room = min(self.limits.batch_commands_max, self.limits.under_way_max - self._under_way)
        while queue and len(batch) < room:
            ask = queue[0]
            if not ask.promise.done():
                if batch:
                    size += len(ask.body)
                    if size > self.limits.batch_bytes_max or not is_one_request(batch[-1], ask):
                        break
                elif ask.op == SESSION_COMMANDS and ask.session is None:
                    # The first of new commands: the others that follow it get their numbers from the same session.
                    room = min(room, self.session.room if self.session else 0)
                    if room <= 0:
                        break
                    size = len(ask.body)
                else:
                    size = len(ask.body)
                batch.append(ask)
            queue.popleft()
        if batch and batch[0].op == SESSION_COMMANDS and batch[0].session is None:
            self._number(batch)
        return batch

    def _number(self, batch: Sequence[Ask]) -> None:
        session = self.session
        assert session is not None, "there was room in it"
        for sequence, ask in enumerate(batch, session.claim(len(batch))):
            ask.session = session
            ask.sequence = sequence

    # --- what becomes of it -----------------------------------------------------------------------------------------

    def answered(self, now: float, response: Response) -> str:
        """An answer has come; one to an ask that is over is forgotten.  Returns the server if it would not do it."""
        flight = self._land(response.id)
        if flight is None:
            return ""
        if response.code == Code.OK:
            self._deliver(now, flight, response.payload)
            return ""
        if response.code in _NOT_DONE:
            self._hold(now, flight.asks, lambda: error_of(response))
            return flight.address
        if response.code == Code.OUTCOME_UNKNOWN and flight.asks[0].op in _REPEATED:
            # The gateway died over it, or lost its leader; another one, or its next incarnation, can be asked.
            for ask in flight.asks:
                ask.doubt = True
            # There is no outcome of a question to be in doubt about.
            error = Unreachable(response.message.removesuffix(IN_DOUBT))
            harmless = flight.asks[0].op in _HARMLESS
            self._hold(now, flight.asks, lambda: _same(error) if harmless else error_of(response))
            return flight.address
        if response.code == Code.SESSION_EXPIRED:
            self._expired(flight.asks)
            return ""
        for ask in flight.asks:
            _fail(ask, _doubted(ask, error_of(response)))
        return ""

    def lost(self, address: str, why: str) -> None:
        """The connection to a server is gone, and with it every answer that was to come."""
        self.take_back(address)
        for number in [number for number, flight in self._flights.items() if flight.address == address]:
            flight = self._land(number)
            assert flight is not None, "it was found a moment ago"
            for ask in flight.asks:
                _fail(ask, _unanswered(ask, f"{address}: {why} before the answer came"))

    def take_back(self, address: str) -> None:
        """Ask elsewhere what a server has been asked, as far as that does no harm."""
        again: list[Ask] = []
        for number, flight in list(self._flights.items()):
            if flight.address == address and flight.asks[0].op in _REPEATED:
                self._land(number)
                again += flight.asks
        self._again(again)

    def expire(self, now: float, trouble: str) -> set[str]:
        """End the asks whose deadline is over; `trouble` says why nothing could be sent, as far as is known.

        Returns the servers that let a deadline or an attempt pass.
        """
        silent: set[str] = set()
        for queue in self._all_queues():
            if any(ask.deadline <= now for ask in queue):
                over = [ask for ask in queue if ask.deadline <= now]
                kept = [ask for ask in queue if ask.deadline > now]
                queue.clear()
                queue.extend(kept)
                for ask in over:
                    _fail(ask, self._never_answered(ask, trouble))
        for number, flight in list(self._flights.items()):
            for ask in flight.asks:
                if ask.deadline <= now:
                    silent.add(flight.address)
                    _fail(ask, _unanswered(ask, f"no answer from {flight.address} in time"))
            if flight.ends <= now:
                self._land(number)
                silent.add(flight.address)
                self._again(flight.asks)
        return silent

    def end(self, why: str) -> None:
        """The client is closed."""
        for address in {flight.address for flight in self._flights.values()}:
            self.lost(address, why)
        for queue in self._all_queues():
            for ask in queue:
                _fail(ask, _doubted(ask, Unreachable(why)))
            queue.clear()

    def no_session(self, error: ClientError) -> None:
        """No session will be opened: the commands that wait for one come to nothing."""
        for ask in self._queues[SESSION_COMMANDS]:
            if ask.session is None:
                _fail(ask, _same(error))

    def _deliver(self, now: float, flight: _Flight, payload: bytes) -> None:
        self._refusals = 0
        try:
            values = decode_values(flight.asks, payload)
        except (WireError, ValueError) as error:
            for ask in flight.asks:
                _fail(ask, _unanswered(ask, f"the answer of {flight.address} makes no sense: {error}"))
            return
        not_now: list[Ask] = []
        for ask, value in zip(flight.asks, values, strict=True):
            if ask.promise.done():
                continue
            if type(value) is bytes or type(value) is Stale or not ask.is_batched:
                ask.promise.set_result(value)
            elif isinstance(value, Failure):
                _fail(ask, RequestFailed(value.why))
            elif value == NOT_NOW:
                not_now.append(ask)
            else:
                _fail(ask, _unanswered(ask, f"{flight.address} has no answer to it any more"))
        if not_now and not_now[0].op in READS:
            # The answers that came had to end somewhere; the rest is asked for at once.
            self._again(not_now)
        elif not_now:
            self._hold(now, not_now, lambda: Overloaded("too many results of the session are not acknowledged yet"))

    def _expired(self, asks: Sequence[Ask]) -> None:
        if asks[0].session is self.session:
            self.session = None
        for ask in asks:
            if ask.doubt:
                why = "the session expired while the command was tried again: it may or may not be applied"
                _fail(ask, SessionExpired(why))
            else:
                ask.session = None
        self._queues[SESSION_COMMANDS].extendleft(ask for ask in reversed(asks) if not ask.promise.done())

    def _hold(self, now: float, asks: Sequence[Ask], error: Callable[[], ClientError]) -> None:
        """Ask again after a pause, which many refusals at the same time share."""
        if now >= self._held_until:
            self._refusals += 1
            self._held_until = now + self.pause(self._refusals)
        kept = []
        for ask in asks:
            # Another attempt could only make an uncertain end of a certain one.
            if ask.deadline - now <= ANSWER_MARGIN_S:
                _fail(ask, _doubted(ask, error()))
            elif not ask.promise.done():
                ask.trouble = error()
                kept.append(ask)
        if kept:
            self._queue_of(kept[0]).extendleft(reversed(kept))

    def _again(self, asks: Sequence[Ask]) -> None:
        """Ask again, without knowing what became of it."""
        for ask in reversed(asks):
            ask.doubt = True
            if not ask.promise.done():
                self._queue_of(ask).appendleft(ask)

    def _never_answered(self, ask: Ask, trouble: str) -> ClientError:
        known = ask.trouble or (self.session_trouble if ask.op == SESSION_COMMANDS else None)
        return _doubted(ask, _same(known) if known else Unreachable(trouble))

    def _land(self, number: int) -> _Flight | None:
        flight = self._flights.pop(number, None)
        if flight is not None:
            self._under_way -= len(flight.asks)
        return flight

    def _queue_of(self, ask: Ask) -> deque[Ask]:
        return self._queues.get(ask.op, self._questions)

    def _all_queues(self) -> list[deque[Ask]]:
        return [*self._queues.values(), self._questions]


def _doubted(ask: Ask, error: ClientError) -> ClientError:
    """An error that promises nothing was done, unless an earlier attempt may have done it."""
    if ask.doubt and ask.op == SESSION_COMMANDS and error.certainly_not_applied:
        return OutcomeUnknown(f"{error}; an earlier attempt may have been applied")
    return error


def _unanswered(ask: Ask, why: str) -> ClientError:
    if ask.op in _HARMLESS:
        return Unreachable(why)
    return OutcomeUnknown(f"{why}{IN_DOUBT}")


def _same(error: ClientError) -> ClientError:
    """An error for another caller: one caller's traceback is not another's."""
    return type(error)(str(error))


def _fail(ask: Ask, error: ClientError) -> None:
    if not ask.promise.done():
        ask.promise.set_exception(error)
