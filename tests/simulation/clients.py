"""Simulated applications: the real book-keeping of a client (transport/client/asks.py) over simulated connections.

What lives here: which operations are asked for, which server is asked, and what is recorded of it for the checker of
histories (tests/linearizability).  What does not: numbering commands, batches, deadlines and what is asked again, which
are the client's own.  A client stays with a server until it is refused, hears nothing, or loses the connection
(transport/client/client.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve

from actors.runtime.actor import Sender
from storage.kv_protocol import (
    Changed,
    Failed,
    Found,
    Page,
    cas,
    decode_result,
    get,
    list_keys,
    put,
    put_many,
)
from tests.linearizability.operation import Operation, Outcome, Value
from transport.client.asks import Asks
from transport.client.attested import AttestedReads
from transport.client.batches import COMMANDS, SESSION_COMMANDS, Ask, AskLimits
from transport.client.errors import ClientError, SessionExpired
from transport.client.protocol import LINEARIZABLE, STALE
from transport.client.session import ClientSession
from transport.client.session_protocol import NONCE_BYTES, SESSION_OPEN
from transport.client.stale import Stale
from transport.wire import decode_body, unpack

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation
    from transport.client.protocol import Request, Response

TICK_S: Final = 0.05
TIMEOUT_S: Final = 3.0
CALLERS: Final = 2
_MEANT: Final = (
    (SESSION_COMMANDS, "write", 5),
    (SESSION_COMMANDS, "cas", 2),
    (LINEARIZABLE, "read", 5),
    (STALE, "read", 1),
)
"""What callers do, and how often."""

MANY_SHARE: Final = 0.3
"""Of writes and reads: so many are of several keys at once."""


@define(eq=False)
class _Promise:
    """A future without a loop."""

    ended: Callable[[Any, BaseException | None], None]
    is_done: bool = False

    def done(self) -> bool:
        return self.is_done

    def set_result(self, result: Any, /) -> None:
        self._end(result, None)

    def set_exception(self, exception: BaseException, /) -> None:
        self._end(None, exception)

    def _end(self, result: Any, error: BaseException | None) -> None:
        assert not self.is_done
        self.is_done = True
        self.ended(result, error)


class SimClient:
    """One client, and a few callers of it, each with one operation at a time."""

    def __init__(self, simulation: Simulation, number: int) -> None:
        self._simulation = simulation
        self._rng: random.Random = random.Random(f"{simulation.seed}/client/{number}")
        self._name = f"c{number}"
        self.sender = Sender("", "", "", number, routing_id=self._name.encode())
        # One of the clients does without exactly-once: what is in doubt stays so.
        self._is_numbered = number > 0
        self._asks = Asks(AskLimits(attempt_s=simulation.weather.attempt_s), self._send, self._pause_s)
        self._attested = AttestedReads(self._asks)
        self._attest_rng = random.Random(f"{simulation.seed}/client/{number}/attested")
        self._preferred = self._rng.choice(list(simulation.processes))
        self._is_opening = self._is_ticking = self._is_held = False
        # Of its own, so that everything else happens as it would without.
        self._many_rng = random.Random(f"{simulation.seed}/client/{number}/many")
        self._last_read: dict[str, Value] = {}
        self._written = 0

    def start(self) -> None:
        """Begin to ask."""
        for caller in range(CALLERS):
            self._simulation.clock.later(self._rng.uniform(0.0, 0.5), partial(self._next, f"{self._name}.{caller}"))

    # --- operations -----------------------------------------------------------------------------------------------

    def _next(self, caller: str) -> None:
        simulation, rng = self._simulation, self._rng
        if not simulation.is_stormy:
            return
        ((op, function, _),) = rng.choices(_MEANT, [weight for _, _, weight in _MEANT])
        key = f"k{rng.randrange(simulation.weather.keys)}"
        arguments: tuple[Value, ...] = ()
        if function != "read":
            self._written += 1
            value = f"{self._name}.{self._written}"
            arguments = (value,) if function == "write" else (self._last_read.get(key), value)
        keys = self._many(key) if function != "cas" and self._many_rng.random() < MANY_SHARE else [key]
        body = _body(function, keys, arguments)
        now = simulation.clock.now
        begun = [
            Operation(simulation.new_operation(), caller, one, function, arguments, Outcome.UNKNOWN, None, now, inf)
            for one in keys
        ]
        if op == SESSION_COMMANDS and not self._is_numbered:
            op = COMMANDS
        ask = Ask(op, body, now + TIMEOUT_S, _Promise(lambda result, error: self._ended(ask, begun, result, error)))
        self._add(ask)

    def _many(self, key: str) -> list[str]:
        """All keys, this one first: in a batch their order is nobody's business."""
        others = [f"k{number}" for number in range(self._simulation.weather.keys)]
        return [key, *(other for other in others if other != key)]

    def _ended(self, ask: Ask, begun: Sequence[Operation], result: Any, error: BaseException | None) -> None:
        """An ask about one key or several has ended; each key's operation has ended with it."""
        simulation, ledger = self._simulation, self._simulation.judge.ledger
        now = simulation.clock.now
        ask.finish()
        is_command = ask.op in (COMMANDS, SESSION_COMMANDS)
        if error is None:
            values = self._understood(begun, result.answer if isinstance(result, Stale) else result)
            if is_command:
                ledger.acknowledge(ask.body)
            ended = [
                evolve(one, outcome=Outcome.OK, result=value, returned_s=now)
                for one, value in zip(begun, values, strict=True)
            ]
            kind = begun[0].function if ask.op != STALE else "stale read"
            simulation.count(f"client: {kind}{' of many' if len(begun) > 1 else ''}")
        else:
            if not isinstance(error, ClientError):
                raise error
            is_certain = error.certainly_not_applied or not is_command
            if is_command and is_certain:
                ledger.reject(ask.body)
            outcome = Outcome.FAILED if is_certain else Outcome.UNKNOWN
            ended = [evolve(one, outcome=outcome, returned_s=now) for one in begun]
            kind = "session expired" if isinstance(error, SessionExpired) else "failed" if is_certain else "in doubt"
            simulation.count(f"client: {kind}")
        if ask.op != STALE:
            simulation.history.extend(ended)
        if simulation.trace.is_on:
            for one in ended:
                simulation.trace.note(now, f"client: {one} {error or ''}")
        simulation.clock.later(
            self._rng.expovariate(1.0 / simulation.weather.think_s), partial(self._next, begun[0].client)
        )

    def _understood(self, begun: Sequence[Operation], result: bytes) -> Sequence[Value]:
        """What the store answered about each key, in the terms of a register."""
        answer, ledger, first = decode_result(result), self._simulation.judge.ledger, begun[0]
        match answer:
            case Changed():
                return [True if first.function == "cas" else None] * len(begun)
            case Found(key, value, revision):
                ledger.found(key, value, revision)
                return self._saw({key: value.decode()}, begun)
            case Page():
                ledger.listed(answer)
                return self._saw({item.key: item.value.decode() for item in answer.items}, begun)
            case Failed(code="conflict") if first.function == "cas":
                return [False]
            case Failed(code="not_found") if first.function == "read":
                return self._saw({}, begun)
        raise AssertionError(f"{first} was answered with {answer}")

    def _saw(self, found: Mapping[str, str], begun: Sequence[Operation]) -> Sequence[Value]:
        values = [found.get(one.key) for one in begun]
        self._last_read |= {one.key: value for one, value in zip(begun, values, strict=True)}
        return values

    # --- the client -----------------------------------------------------------------------------------------------

    def _add(self, ask: Ask) -> None:
        if not (ask.op == LINEARIZABLE and self._attests(ask)):
            self._asks.add(ask)
        self._pump()
        if not self._is_ticking:
            self._is_ticking = True
            self._simulation.clock.later(TICK_S, self._tick)

    def _attests(self, ask: Ask) -> bool:
        """Whether it goes to a server that believes to lead, be it wrong, and to others; a real client knows better."""
        simulation, rng = self._simulation, self._attest_rng
        leaders = [process.id for process in simulation.leaders()]
        if not leaders or rng.random() < 0.5:
            return False
        leader = rng.choice(leaders)
        others = [id_ for id_ in simulation.processes if id_ != leader]
        followers = rng.sample(others, min(len(others), rng.randint(1, 2)))
        begun = self._attested.begin(simulation.clock.now, ask, leader, followers)
        simulation.count(f"client: {'attested read begun' if begun else 'attested read not begun'}")
        return begun

    def _pump(self) -> None:
        now = self._simulation.clock.now
        if self._asks.wants_session and not self._is_opening:
            self._is_opening = True
            nonce = self._rng.randbytes(NONCE_BYTES)
            self._add(Ask(SESSION_OPEN, nonce, now + TIMEOUT_S, _Promise(self._opened)))
            return
        held_s = self._asks.held_s(now)
        if held_s and not self._is_held:
            self._is_held = True
            self._simulation.clock.later(held_s, self._unhold)
        elif not held_s:
            if not self._simulation.processes[self._preferred].is_alive:
                self._look_elsewhere()
            self._asks.flush(now, self._preferred)

    def _unhold(self) -> None:
        self._is_held = False
        self._pump()

    def _opened(self, session_id: Any, error: BaseException | None) -> None:
        self._is_opening = False
        if error is None:
            self._simulation.count("client: session opened")
            self._asks.use_session(ClientSession(session_id))
        elif isinstance(error, ClientError):
            self._asks.session_trouble = error

    def _tick(self) -> None:
        self._is_ticking = False
        if self._preferred in self._asks.expire(self._simulation.clock.now, "no server took it"):
            self._simulation.count("client: asked again after silence")
            self._look_elsewhere()
        self._pump()
        if not self._asks.is_idle and not self._is_ticking:
            self._is_ticking = True
            self._simulation.clock.later(TICK_S, self._tick)

    def _look_elsewhere(self) -> None:
        others = [id_ for id_, process in self._simulation.processes.items() if process.is_alive]
        self._preferred = self._rng.choice(others or [self._preferred])

    def _pause_s(self, refusals: int) -> float:
        return self._rng.uniform(0.0, min(0.02 * 2.0**refusals, 0.5))

    # --- connections ----------------------------------------------------------------------------------------------

    def _send(self, server_id: str, frame: bytes) -> bool:
        header, body = unpack(frame)
        request: Request = decode_body(header.kind, body)
        return self._simulation.ask(self, server_id, request)

    def hear(self, response: Response) -> None:
        """An answer arrives."""
        confirmed = self._attested.confirmed
        refused_by = self._asks.answered(self._simulation.clock.now, response)
        if self._attested.confirmed > confirmed:
            self._simulation.count("client: attested read confirmed")
        if refused_by and refused_by == self._preferred:
            self._look_elsewhere()
        self._pump()

    def lose(self, server_id: str) -> None:
        """The connection to a server is gone."""
        self._asks.lost(server_id, "the connection broke")
        self._pump()


def _body(function: str, keys: Sequence[str], arguments: tuple[Value, ...]) -> bytes:
    if function == "read":
        return get(keys[0]) if len(keys) == 1 else list_keys()
    encoded = [None if argument is None else str(argument).encode() for argument in arguments]
    new = encoded[-1]
    assert new is not None
    if function == "cas":
        return cas(keys[0], encoded[0], new)
    return put(keys[0], new) if len(keys) == 1 else put_many(dict.fromkeys(keys, new))
