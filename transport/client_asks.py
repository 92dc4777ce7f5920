"""What a client has asked and not heard yet: a queue, what is under way on which server, and deadlines.

What lives here: batching, keeping answers and asks together, and which asks survive a lost connection.  Time and
sockets come in as arguments; a future is only ever given its result.  What does not: connections (client_link.py),
which server is best, and trying again after a refusal (client.py).

1. An ask is under way on one server at a time, under a number that is used once.
2. When a server is lost, asks that change nothing are asked again elsewhere; the others end as OutcomeUnknown.
3. At its deadline an ask that is still queued was certainly not carried out; one under way may have been.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
from attrs import define, field, frozen

from transport.client_errors import ClientError, OutcomeUnknown, Unreachable, error_of
from transport.client_frames import CHANGES_NOTHING, encode_request
from transport.client_protocol import Code, Request, Response, decode_payload, encode_payload
from transport.wire import WireError

PROPOSE: Final = "propose"
READ: Final = "read"

_decode_results = msgspec.msgpack.Decoder(list[bytes]).decode


class Promise(Protocol):
    """The part of an asyncio future that an ask needs."""

    def done(self) -> bool:
        """Whether it has a result, or its caller has given up."""

    def set_result(self, result: Any, /) -> None:
        """The answer."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Why there is none."""


@frozen
class AskLimits:
    """batch_commands_max, batch_bytes_max: commands in one request.  under_way_max: commands and questions without an
    answer; more wait in the queue, where they make larger batches.  read_attempt_s: the time one server gets for a
    read; a cut-off server would otherwise use up the time in which another one has a leader.  A command gets all of its
    caller's time, since the end of an attempt could leave its outcome unknown.
    """

    batch_commands_max: int = 256
    batch_bytes_max: int = 256 * 1024
    under_way_max: int = 4_096
    read_attempt_s: float = 2.0


@define(eq=False, slots=True)
class Ask:
    """One question or one command.  body: the command, or the arguments of the operation."""

    op: str
    body: Any
    deadline: float
    promise: Promise


@define
class _Flight:
    address: str
    asks: list[Ask]
    started: float
    ends: float


@define
class Asks:
    """All asks of one client.  `send(address, frame)` says whether a connection took the frame."""

    limits: AskLimits
    send: Callable[[str, bytes], bool]
    _queue: deque[Ask] = field(factory=deque, init=False)
    _flights: dict[int, _Flight] = field(factory=dict, init=False)
    _under_way: int = field(default=0, init=False)
    _last_id: int = field(default=0, init=False)

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._queue and not self._flights

    def waits_since(self, address: str) -> float | None:
        """Since when a server has owed its oldest answer; None when it owes none."""
        return next((flight.started for flight in self._flights.values() if flight.address == address), None)

    def add(self, ask: Ask) -> None:
        """Queue an ask."""
        self._queue.append(ask)

    def flush(self, now: float, address: str) -> None:
        """Send what is queued to a server, as far as the window and the connection allow."""
        while self._queue and self._under_way < self.limits.under_way_max:
            asks = self._next_batch()
            if asks and not self.launch(now, address, asks):
                self._queue.extendleft(reversed(asks))
                return

    def _next_batch(self) -> list[Ask]:
        """What goes into one request: consecutive commands, or one question; nobody's asks left out."""
        batch: list[Ask] = []
        size = 0
        room = min(self.limits.batch_commands_max, self.limits.under_way_max - self._under_way)
        while self._queue and len(batch) < room:
            ask = self._queue[0]
            if not ask.promise.done():
                if batch and (ask.op != PROPOSE or size + len(ask.body) > self.limits.batch_bytes_max):
                    break
                batch.append(ask)
                size += len(ask.body) if ask.op == PROPOSE else 0
            self._queue.popleft()
            if batch and ask.op != PROPOSE:
                break
        return batch

    def launch(self, now: float, address: str, asks: list[Ask]) -> bool:
        """Send consecutive commands, or one question, to this very server; False when there is no connection to it."""
        self._last_id += 1
        op = asks[0].op
        body = [ask.body for ask in asks] if op == PROPOSE else asks[0].body
        ends = max(ask.deadline for ask in asks)
        timeout_s = min(ends - now, self.limits.read_attempt_s) if op == READ else ends - now
        request = Request(self._last_id, op, encode_payload(body), max(1, round(timeout_s * 1000)))
        if not self.send(address, encode_request(request)):
            return False
        self._flights[request.id] = _Flight(address, asks, now, ends)
        self._under_way += len(asks)
        return True

    def answered(self, response: Response) -> None:
        """An answer has come; one to an ask that is over is forgotten."""
        flight = self._land(response.id)
        if flight is None:
            return
        if response.code == Code.OUTCOME_UNKNOWN and flight.asks[0].op in CHANGES_NOTHING:
            # The gateway died over it; its next incarnation can be asked.
            self._queue.extendleft(reversed(flight.asks))
            return
        if response.code != Code.OK:
            for ask in flight.asks:
                _fail(ask, error_of(response))
            return
        try:
            values = _values(flight, response.payload)
        except (WireError, ValueError) as error:
            for ask in flight.asks:
                _fail(ask, _lost(ask, f"the answer of {flight.address} makes no sense: {error}"))
            return
        for ask, value in zip(flight.asks, values, strict=True):
            if not ask.promise.done():
                ask.promise.set_result(value)

    def lost(self, address: str, why: str) -> None:
        """The connection to a server is gone, and with it every answer that was to come."""
        again: list[Ask] = []
        for number in [number for number, flight in self._flights.items() if flight.address == address]:
            flight = self._land(number)
            assert flight is not None, "it was found a moment ago"
            for ask in flight.asks:
                if ask.op in CHANGES_NOTHING:
                    again.append(ask)
                else:
                    _fail(ask, _lost(ask, f"{address}: {why} before the answer came"))
        self._queue.extendleft(reversed(again))

    def expire(self, now: float, trouble: str) -> set[str]:
        """End the asks whose deadline is over; `trouble` says why nothing could be sent, as far as is known.

        Returns the servers that let a deadline pass.
        """
        silent: set[str] = set()
        if any(ask.deadline <= now for ask in self._queue):
            kept: deque[Ask] = deque()
            for ask in self._queue:
                if ask.deadline <= now:
                    _fail(ask, Unreachable(trouble))
                else:
                    kept.append(ask)
            self._queue = kept
        for number, flight in list(self._flights.items()):
            for ask in flight.asks:
                if ask.deadline <= now:
                    silent.add(flight.address)
                    _fail(ask, _lost(ask, f"no answer from {flight.address} in time"))
            if flight.ends <= now:
                self._land(number)
        return silent

    def end(self, why: str) -> None:
        """The client is closed."""
        for ask in self._queue:
            _fail(ask, Unreachable(why))
        self._queue.clear()
        for address in {flight.address for flight in self._flights.values()}:
            self.lost(address, why)
        for ask in self._queue:
            _fail(ask, Unreachable(why))
        self._queue.clear()

    def _land(self, number: int) -> _Flight | None:
        flight = self._flights.pop(number, None)
        if flight is not None:
            self._under_way -= len(flight.asks)
        return flight


def _values(flight: _Flight, payload: bytes) -> Iterable[Any]:
    if flight.asks[0].op != PROPOSE:
        return [decode_payload(payload)]
    results = _decode_results(payload)
    if len(results) != len(flight.asks):
        raise WireError(f"{len(results)} results for {len(flight.asks)} commands")
    return results


def _lost(ask: Ask, why: str) -> ClientError:
    if ask.op in CHANGES_NOTHING:
        return Unreachable(why)
    return OutcomeUnknown(f"{why}; what was asked may or may not have been done")


def _fail(ask: Ask, error: ClientError) -> None:
    if not ask.promise.done():
        ask.promise.set_exception(error)
