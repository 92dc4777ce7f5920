"""Holders of a lock in a simulated cluster: they queue up for it, hold it, write under its token, and leave it or not.

What lives here: what they ask for and when, as quorate/lock.py and quorate/lease.py do, and what they are told.  What
does not: what has to hold of that (tests/histories), and of their leases by the log (lease_book.py).

Unlike the library's lock they have no session, so what is in doubt stays so, and they look at the queue again and again
where it waits for the key before its own.

Their random numbers are their own.  But what they ask for is in the log, so only some runs have holders: the others go
as they would without.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count, cycle
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import evolve

from actors.gateway.calls import NOT_APPLIED, PROPOSE, READ
from actors.runtime.actor import Sender
from quorate.lease import RENEWALS
from quorate.lock import prefix_of
from storage.kv_protocol import (
    Answered,
    Compare,
    Failed,
    Found,
    KvResult,
    Leased,
    Page,
    Put,
    decode_result,
    get,
    grant,
    list_keys,
    renew,
    revoke,
    txn,
)
from tests.histories.lock_history import ACQUIRE, GRANT, GUARDED, HOLDER, RENEW, REVOKE, SEEN
from tests.histories.verdict import Verdict, judge
from tests.linearizability.history import History
from tests.linearizability.operation import Operation, Outcome, Value
from tests.simulation.watching import AT_SOME_TIME, DELAY_MAX_S, LOST_SHARE
from transport.client.protocol import LINEARIZABLE, Code, Request, Response, decode_payload, encode_payload

if TYPE_CHECKING:
    from tests.simulation.guarded import GuardedProcess
    from tests.simulation.lease_book import LeaseBook
    from tests.simulation.ledger import Ledger
    from tests.simulation.simulation import Simulation

LOCK: Final = "l"
GUARDED_KEY: Final = "guarded"
HOLDERS: Final = 3
RUNS_SHARE: Final = 0.2
"""Of runs: so many have holders; such a run takes a quarter longer."""
TTLS_MS: Final = 1_000, 1_500
WRITES_MAX: Final = 4
"""Under one token."""
THINK_S: Final = 0.4
"""How long a holder does something else between two steps, at most."""
STANDS_STILL: Final = 0.3, 2.5
"""For how long a holder that stands still does so, in times that its lease lasts."""
TIMEOUT_S: Final = 0.5
SILENCE_S: Final = 0.8
"""After which nobody expects an answer any more."""
_FATES: Final = {"released": 4, "stood still": 3, "died": 1}
"""How holders end, and how often."""
_PREFIX: Final = prefix_of(LOCK)
_LOG: Final = "log"
"""Who is told everything."""

Told: TypeAlias = KvResult | Outcome
"""What a holder is told: the store's answer, or how it ended without one."""
Steps: TypeAlias = Generator[float | Request, Told | None, None]
"""What a holder does: it waits for so long, or asks."""
Part: TypeAlias = Generator[float | Request, Told | None, Value]
"""Steps with a result."""


class SimHolder:
    """One after the other, each with a lease of its own; they ask for one thing at a time."""

    def __init__(self, simulation: Simulation, number: int, processes: Sequence[GuardedProcess]) -> None:
        self._simulation = simulation
        self._rng = random.Random(f"{simulation.seed}/holder/{number}")
        self._servers = cycle([*processes[number:], *processes[:number]])
        self._server = next(self._servers)
        self._fastest = max(process.server.rate for process in processes)
        self.sender = Sender("", "", "", number, routing_id=f"h{number}".encode())
        self._steps = self._live(f"h{number}")
        self._asked = 0
        self._name = ""
        self._lease = self._ttl_ms = self._token = 0
        self._key = ""
        self._renew_at = 0.0
        self.told: list[Operation] = []

    def start(self) -> None:
        """Begin, and go on until the storm is over; then hold what is held until it ends by itself."""
        self._simulation.clock.later(self._rng.uniform(0.0, 0.5), partial(self._go_on, None))

    # --- what holders do ------------------------------------------------------------------------------------------

    def _live(self, name: str) -> Steps:
        for life in count(1):
            self._name = f"{name}.{life}"
            yield from self._hold_once()
            yield self._rng.uniform(0.0, THINK_S)

    def _hold_once(self) -> Steps:
        began = self._now
        if not (yield from self._begin_lease()):
            return
        if not (yield from self._queue_up()) or not (yield from self._wait()):
            yield from self._ask_of_lease(REVOKE, revoke(self._lease))
            return
        self._note(ACQUIRE, LOCK, (), began, self._token)
        (fate,) = self._rng.choices(list(_FATES), list(_FATES.values()))
        is_sure = yield from self._write_on()
        self._simulation.count(f"lock: {fate}")
        if fate == "released":
            yield from self._ask_of_lease(REVOKE, revoke(self._lease))
        elif fate == "stood still" and is_sure:
            yield self._rng.uniform(*STANDS_STILL) * self._ttl_ms / 1000
            if (yield from self._write()) is False:
                self._simulation.count("lock: late write refused")

    def _begin_lease(self) -> Part:
        began = self._now
        self._ttl_ms = self._rng.choice(TTLS_MS)
        answer = yield self._command(grant(self._ttl_ms))
        # By the true time it lasts for as long as the fastest of the clocks says, or longer.
        asked = int(self._ttl_ms / self._fastest)
        if isinstance(answer, Outcome):
            self._note(GRANT, "", (asked,), began, answer)
            return False
        assert isinstance(answer, Leased), answer
        self._note(GRANT, "", (asked,), began, answer.lease)
        self._lease = answer.lease
        self._renew_at = began + self._pause_s
        return True

    def _queue_up(self) -> Part:
        self._key = f"{_PREFIX}{self._lease:016x}"
        answer = yield self._command(txn([], [Put(self._key, self._name.encode(), self._lease)]))
        self._token = answer.revision if isinstance(answer, Answered) else 0
        return self._token > 0

    def _wait(self) -> Part:
        """Whether it has got the lock; if not its place in the queue is lost."""
        while True:
            began = self._now
            page = yield self._query(list_keys(_PREFIX))
            if isinstance(page, Page):
                self._simulation.judge.ledger.listed(page, _PREFIX)
                first = min(page.items, key=lambda one: one.revision, default=None)
                self._note(HOLDER, LOCK, (), began, first.revision if first else None)
                if first is not None and self._is_turn(first):
                    self._simulation.judge.ledger.acquired(_PREFIX, self._token, page.revision)
                    self._simulation.count("lock: acquired")
                    return True
                if all(one.key != self._key for one in page.items):
                    return False
            yield from self._think()

    def _is_turn(self, first: Found) -> bool:
        """Whether the oldest key of the queue is this one's."""
        return first.revision == self._token

    def _write_on(self) -> Part:
        """A few times; says whether it knows what became of each: what is in doubt may come between two later ones."""
        for _ in range(self._rng.randint(0, WRITES_MAX)):
            is_good = yield from self._write()
            if not is_good:
                return is_good is not None
            yield from self._think()
        return True

    def _write(self) -> Part:
        """Write what the lock guards, made from what was there; says whether the token was good, None: not known."""
        found = yield self._query(get(GUARDED_KEY))
        if isinstance(found, Outcome):
            return None
        before = found.value.decode() if isinstance(found, Found) else None
        yield self._delay_s()
        began, value = self._now, f"{self._token} {self._simulation.clock.count}"
        guard = Compare(self._key, "revision", "==", self._token)
        answer = yield self._command(txn([guard], [Put(GUARDED_KEY, value.encode())]))
        result: Value | Outcome = answer if isinstance(answer, Outcome) else None
        if isinstance(answer, Answered) and answer.succeeded:
            self._simulation.count("lock: write under it")
            result = answer.revision
        self._note(GUARDED, GUARDED_KEY, (LOCK, self._token, before, value), began, result)
        return answer.succeeded if isinstance(answer, Answered) else None

    def _think(self) -> Steps:
        yield self._rng.uniform(0.0, THINK_S)
        if self._now >= self._renew_at:
            yield from self._ask_of_lease(RENEW, renew(self._lease))
            self._renew_at = self._now + self._pause_s

    def _ask_of_lease(self, function: str, command: bytes) -> Steps:
        began = self._now
        answer = yield self._command(command)
        assert answer is not None
        result = answer if isinstance(answer, Outcome) else not isinstance(answer, Failed)
        self._note(function, "", (self._lease,), began, result)

    # --- asking ---------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._simulation.clock.now

    @property
    def _pause_s(self) -> float:
        return self._ttl_ms / 1000 / RENEWALS

    def _note(self, function: str, key: str, arguments: tuple[Value, ...], began: float, told: Value | Outcome) -> None:
        outcome, result = (told, None) if isinstance(told, Outcome) else (Outcome.OK, told)
        self.told.append(Operation(0, self._name, key, function, arguments, outcome, result, began, self._now))

    def _command(self, command: bytes) -> Request:
        return self._request(PROPOSE, [command])

    def _query(self, query: bytes) -> Request:
        return self._request(READ, [[query], LINEARIZABLE])

    def _request(self, op: str, payload: Sequence[object]) -> Request:
        self._asked += 1
        return Request(self._asked, op, encode_payload(payload), round(TIMEOUT_S * 1000))

    def _go_on(self, told: Told | None) -> None:
        step = self._steps.send(told)
        if not self._simulation.is_stormy:
            return
        if not isinstance(step, Request):
            self._simulation.clock.later(step, partial(self._go_on, None))
            return
        if not self._is_lost():
            self._server.later(self._delay_s(), partial(self._server.request, self.sender, step))
        self._simulation.clock.later(SILENCE_S, partial(self._give_up, step.id))

    def _delay_s(self) -> float:
        return self._rng.uniform(0.0, DELAY_MAX_S)

    def _is_lost(self) -> bool:
        return self._rng.random() < LOST_SHARE and self._simulation.is_stormy

    def _give_up(self, asked: int) -> None:
        if asked == self._asked:
            self._end(Outcome.UNKNOWN)

    def answered(self, response: Response) -> None:
        """An answer leaves a server."""
        if not self._is_lost():
            self._simulation.clock.later(self._delay_s(), partial(self._hear, response))

    def _hear(self, response: Response) -> None:
        if response.id != self._asked:
            return
        if response.code == Code.OK:
            first, *_ = decode_payload(response.payload)
            self._asked += 1
            # The one command's result, or the results of the one query in a list.
            self._go_on(decode_result(first if isinstance(first, bytes) else first[0]))
        else:
            self._end(Outcome.FAILED if response.code in NOT_APPLIED else Outcome.UNKNOWN)

    def _end(self, outcome: Outcome) -> None:
        """Without an answer: somebody else is asked next."""
        self._simulation.count(f"lock: asked in vain, {outcome.value}")
        self._asked += 1
        self._server = next(self._servers)
        self._go_on(outcome)


def has_holders(seed: int) -> bool:
    """Whether a run has holders."""
    return random.Random(f"{seed}/holders").random() < RUNS_SHARE


def verdict_on(holders: Sequence[SimHolder], ledger: Ledger) -> Verdict:
    """Hold what holders were told against each other, and against what happened by the log."""
    told = chain(*(holder.told for holder in holders), _ended(ledger.leases), _seen(ledger.revisions))
    return judge(History(evolve(one, number=number) for number, one in enumerate(told, start=1)))


def _ended(leases: LeaseBook) -> Iterator[Operation]:
    """The ends of leases, as if somebody had tried to renew each right after its end."""
    for lease, at_s in leases.ends.items():
        yield Operation(0, _LOG, "", RENEW, (lease,), Outcome.OK, False, at_s, at_s)


def _seen(revisions: Mapping[int, Mapping[str, bytes | None]]) -> Iterator[Operation]:
    """The writes that were let in."""
    for revision, changes in revisions.items():
        value = changes.get(GUARDED_KEY)
        if value is not None:
            text = value.decode()
            arguments = revision, int(text.split()[0]), text
            yield Operation(0, _LOG, GUARDED_KEY, SEEN, arguments, Outcome.OK, None, *AT_SOME_TIME)
