"""Clients of the raw engine: any server takes a command and hands it on by itself; one in doubt is not sent again."""

from __future__ import annotations

import random
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from attrs import evolve

from storage.kv_protocol import Changed, cas, decode_result, put
from tests.linearizability.operation import Operation, Outcome, Value
from tests.simulation.clients import CALLERS, TIMEOUT_S
from tests.simulation.raw import RawProcess

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


class RawClient:
    """A few callers, each with one operation at a time."""

    def __init__(self, simulation: Simulation, number: int) -> None:
        self._simulation = simulation
        self._rng = random.Random(f"{simulation.seed}/client/{number}")
        self._name = f"c{number}"
        self._written = 0
        self._last = ""
        self._open: dict[int, tuple[Operation, bytes]] = {}

    def start(self) -> None:
        """Begin to ask."""
        for caller in range(CALLERS):
            self._simulation.clock.later(self._rng.uniform(0.0, 0.5), partial(self._next, f"{self._name}.{caller}"))

    def lose(self, server_id: str) -> None:
        """It waits until it gives up."""

    def hear(self, response: object) -> None:
        """Answers come by callbacks."""

    def _next(self, caller: str) -> None:
        simulation, rng = self._simulation, self._rng
        if not simulation.is_stormy:
            return
        key = f"k{rng.randrange(simulation.weather.keys)}"
        self._written += 1
        value = f"{self._name}.{self._written}"
        is_write = rng.random() < 0.7
        arguments: tuple[Value, ...] = (value,) if is_write else (self._last or None, value)
        command = put(key, value.encode()) if is_write else cas(key, self._last.encode() or None, value.encode())
        number = simulation.new_operation()
        function = "write" if is_write else "cas"
        begun = Operation(number, caller, key, function, arguments, Outcome.UNKNOWN, None, simulation.clock.now, inf)
        self._open[number] = begun, command
        simulation.clock.later(TIMEOUT_S, partial(self._give_up, number))
        leaders = simulation.leaders()
        process = rng.choice(leaders if leaders and rng.random() < 0.5 else list(simulation.processes.values()))
        delay_s = simulation.network.between()
        if delay_s is not None and isinstance(process, RawProcess):
            process.later(delay_s, partial(process.propose, command, partial(self._answered, number)))

    def _answered(self, number: int, result: bytes | None) -> None:
        delay_s = self._simulation.network.between()
        if delay_s is not None:
            self._simulation.clock.later(delay_s, partial(self._hear, number, result))

    def _hear(self, number: int, result: bytes | None) -> None:
        if number not in self._open:
            return
        if result is None:
            self._give_up(number)
            return
        begun, command = self._open.pop(number)
        is_changed = isinstance(decode_result(result), Changed)
        self._simulation.judge.ledger.acknowledge(command)
        self._simulation.count(f"client: {begun.function}")
        if is_changed:
            self._last = str(begun.arguments[-1])
        value = is_changed if begun.function == "cas" else None
        self._end(evolve(begun, outcome=Outcome.OK, result=value, returned_s=self._simulation.clock.now))

    def _give_up(self, number: int) -> None:
        """Whatever the engine says but success is taken for doubt."""
        if number in self._open:
            begun, _ = self._open.pop(number)
            self._simulation.count("client: in doubt")
            self._end(evolve(begun, returned_s=self._simulation.clock.now))

    def _end(self, ended: Operation) -> None:
        simulation = self._simulation
        simulation.history.append(ended)
        if simulation.trace.is_on:
            simulation.trace.note(simulation.clock.now, f"client: {ended}")
        pause_s = self._rng.expovariate(1.0 / simulation.weather.think_s)
        simulation.clock.later(pause_s, partial(self._next, ended.client))
