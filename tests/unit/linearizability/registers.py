"""Histories of a real register: one thing after the other in truth, and overlapping for those who look on.

Each client asks one thing at a time. What it asks takes effect at some moment between its invocation and its return;
some answers are never heard, and some of those take effect long after their client gave up, or never. By the way they
are made these histories are linearizable.
"""

from __future__ import annotations

import heapq
import random
from math import inf

from attrs import evolve, frozen

from tests.linearizability.history import History
from tests.linearizability.models import Register
from tests.linearizability.operation import Operation, Outcome, Value


@frozen
class Mix:
    """What clients do. values: how many there are to write; 0: each value is written once. lost: unknown outcomes."""

    operations: int
    clients: int
    keys: int = 1
    values: int = 0
    reads: float = 0.5
    cas: float = 0.2
    deletes: float = 0.0
    lost: int = 0
    failed: int = 0
    pause_s: float = 0.1
    """The longest pause between two operations of a client; an operation takes at most a second."""


class _Life:
    """One run: what is asked is put in a queue by time, and carried out when its time comes."""

    def __init__(self, mix: Mix, rng: random.Random) -> None:
        self.mix, self.rng = mix, rng
        self.states: dict[str, Value] = {}
        self.done: list[Operation] = []
        self.queue: list[tuple[float, Operation]] = []
        self.free = [(rng.uniform(0.0, mix.pause_s), f"c{number}") for number in range(mix.clients)]
        heapq.heapify(self.free)
        outcomes = [Outcome.UNKNOWN] * mix.lost + [Outcome.FAILED] * mix.failed
        outcomes += [Outcome.OK] * (mix.operations - len(outcomes))
        rng.shuffle(outcomes)
        self.outcomes = outcomes

    def run(self) -> History:
        for number, outcome in enumerate(self.outcomes, start=1):
            now, client = heapq.heappop(self.free)
            self.carry_out(now)
            operation = self.ask(number, outcome, now, client)
            heapq.heappush(self.free, (operation.returned_s + self.rng.uniform(0.0, self.mix.pause_s), client))
        self.carry_out(inf)
        return History(sorted(self.done, key=lambda operation: operation.number))

    def ask(self, number: int, outcome: Outcome, now: float, client: str) -> Operation:
        key = f"k{self.rng.randrange(self.mix.keys)}"
        function, arguments = self.choose(number, key)
        returns = now + self.rng.uniform(0.0, 1.0)
        operation = Operation(number, client, key, function, arguments, outcome, None, now, returns)
        takes_effect = self.rng.uniform(now, returns)
        if outcome is Outcome.UNKNOWN:
            takes_effect = now + self.rng.choice([0.1, 1.0, 10.0, inf]) * self.rng.random()
        if outcome is Outcome.FAILED or takes_effect == inf:
            self.done.append(operation)
        else:
            heapq.heappush(self.queue, (takes_effect, operation))
        return operation

    def choose(self, number: int, key: str) -> tuple[str, tuple[Value, ...]]:
        value: Value = self.rng.randrange(self.mix.values) if self.mix.values else f"v{number}"
        choice = self.rng.random()
        if choice < self.mix.reads:
            return "read", ()
        if choice < self.mix.reads + self.mix.cas:
            # Mostly what is there, as somebody does who has just read it.
            guess: Value = self.rng.randrange(self.mix.values) if self.mix.values else f"v{self.rng.randrange(number)}"
            return "cas", (self.states.get(key) if self.rng.random() < 0.7 else guess, value)
        return ("delete", ()) if choice > 1 - self.mix.deletes else ("write", (value,))

    def carry_out(self, until: float) -> None:
        while self.queue and self.queue[0][0] <= until:
            _, operation = heapq.heappop(self.queue)
            state, result = Register().apply(self.states.get(operation.key), operation)
            self.states[operation.key] = state
            self.done.append(evolve(operation, result=None if operation.outcome is Outcome.UNKNOWN else result))


def lived(mix: Mix, seed: int) -> History:
    """A history of real registers."""
    return _Life(mix, random.Random(seed)).run()


def stale_reads(history: History) -> list[tuple[Operation, Value]]:
    """Reads, each with a value written once that had certainly been overwritten before the read began."""
    found: list[tuple[Operation, Value]] = []
    for operations in history.by_key().values():
        writes = [operation for operation in operations if operation.function == "write" and operation.is_definite]
        reads = [operation for operation in operations if operation.function == "read" and operation.is_definite]
        for read in reads:
            last = max((write for write in writes if write.precedes(read)), key=_invoked_s, default=None)
            if last and (old := next((write for write in writes if write.precedes(last)), None)):
                found.append((read, old.arguments[0]))
    return found


def _invoked_s(operation: Operation) -> float:
    return operation.invoked_s
