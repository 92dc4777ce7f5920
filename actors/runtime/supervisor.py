"""A supervisor: it starts its children in order, restarts them when they crash, and stops them in reverse.

What lives here: carrying out what policy.py decides.  Not here: what an incarnation is (life.py), how a process ends
(the node: it is told by `on_escalate` and exits).

Rules (Erlang/OTP, supervisor(3)):
1. Children start one after the other, each after the `on_start` of the one before it.  If one cannot be started the
   first time, those before it are stopped and the error is the caller's: a taken port is no case for restarts.
2. A crash, an `on_start` that fails in a restart included, is the policy's to decide; but with an error that is final
   it would only come again, so that is the end at once.  Such an error says all there is to say, without a traceback.
3. Children stop last first, each within its time limit, before they are started again and at the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from actors.runtime.cell import OperatorKill
from actors.runtime.lifecycle import State
from actors.runtime.policy import Decision, Escalate, RestartLimits, RestartPolicy, Strategy
from transport.errors import QuorateError
from transport.text import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.runtime.actor import Actor, Context
    from actors.runtime.cell import Cell
    from actors.runtime.system import System

log = logging.getLogger("quorate.supervisor")


class GaveUp(QuorateError):  # noqa: N818 - what it says, not an error of the reader's
    """A supervisor met more crashes than restarts can cure."""

    exit_code = 70


class _SiblingDown(Exception):  # noqa: N818 - the reason to start anew, nobody's error
    """A start was broken off, because a child that it may rely on has crashed."""


class ChildSpec(Struct, frozen=True):
    """One child: its actor's name, how to make an incarnation, and how long its `on_start` and `on_stop` may take."""

    name: str
    factory: Callable[[Context], Actor]
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 5.0


class Supervisor:
    """Keeps `children` running.  `on_escalate(line)` is called once, when it gives up after a successful start."""

    def __init__(
        self,
        system: System,
        name: str,
        *,
        strategy: Strategy,
        children: Sequence[ChildSpec],
        on_escalate: Callable[[str], None],
        limits: RestartLimits | None = None,
    ) -> None:
        self.name = name
        self._system = system
        self._specs = {spec.name: spec for spec in children}
        self._cells = {
            spec.name: system.add(spec.name, spec.factory, supervisor=name, on_crash=self._on_crash)
            for spec in children
        }
        self._policy = RestartPolicy(strategy, list(self._specs), limits or RestartLimits(), system.rng)
        self._on_escalate = on_escalate
        self._crashes: deque[tuple[Cell, BaseException]] = deque()
        self._wanted: set[str] = set()
        """Children that somebody has had started: nobody else's crash brings up others."""
        self._down: set[str] = set()
        """Children to be started, for the first time or again."""
        self._not_before = 0.0
        self._wake = asyncio.Event()
        self._mending: asyncio.Task[None] | None = None
        self._starting: Cell | None = None
        self._stopping = False
        self._why_stopped = f"supervisor {name} was stopped"
        system.add_supervisor(self)

    async def start(self, *, through: str = "") -> None:
        """Start every child, or those up to and with `through`; called again, the rest.

        If one cannot be started, stops all and raises its error; GaveUp for too many crashes.
        """
        while self._mending is not None:
            # What crashed since the first ones were started is up again, or the end of all, before others follow.
            await asyncio.wait({self._mending})
        if self._stopping:
            raise GaveUp(self._why_stopped)
        names = list(self._specs)
        self._wanted.update(names[: names.index(through) + 1] if through else names)
        self._down.update(name for name in self._wanted if self._cells[name].state is State.WAITING)
        self._mending = self._system.loop.create_task(self._mend(), name=f"supervisor {self.name}")
        try:
            await self._mending
        except BaseException:
            await self.stop()
            raise
        # From here on there is no caller to raise to.
        self._mending = None
        self._keep_mending()

    async def stop(self) -> None:
        """Stop every child, the last one first, for good."""
        self._stopping = True
        if self._mending is not None and not self._mending.done():
            self._mending.cancel()
            await asyncio.wait({self._mending})
        for name, cell in reversed(self._cells.items()):
            await cell.stop(self._specs[name].stop_timeout_s, server_stops=True)
            if cell.state is not State.CLOSED:
                cell.close()

    def view(self) -> dict[str, Any]:
        """The supervisor and its children as plain data."""
        children = [
            {key: row[key] for key in ("name", "incarnation", "state", "restarts", "last_error")}
            for row in (cell.view() for cell in self._cells.values())
        ]
        return {"name": self.name, "strategy": str(self._policy.strategy), "children": children}

    def _on_crash(self, cell: Cell, error: BaseException) -> None:
        self._crashes.append((cell, error))
        self._wake.set()
        if self._starting is not None and self._starting.name in self._policy.affected(cell.name):
            # It may be waiting for the one that crashed, which will not be started before this start is over.
            self._starting.crash(_SiblingDown(f"{cell.label} crashed"))
        self._keep_mending()

    def _keep_mending(self) -> None:
        if self._crashes and self._mending is None and not self._stopping:
            self._mending = self._system.loop.create_task(self._mend(), name=f"supervisor {self.name}")
            self._mending.add_done_callback(self._mended)

    def _mended(self, task: asyncio.Task[None]) -> None:
        self._mending = None
        if not task.cancelled() and (error := task.exception()):
            self._stopping = True
            self._why_stopped = str(error) if isinstance(error, GaveUp) else f"supervisor {self.name}: {text_of(error)}"
            self._on_escalate(self._why_stopped)
        self._keep_mending()

    async def _mend(self) -> None:
        """Work until every child runs.  Raises GaveUp, or what kept a child from its very first start."""
        while self._crashes or self._down:
            self._wake.clear()
            pause_s = self._not_before - self._system.clock()
            if self._crashes:
                await self._take_down(*self._crashes.popleft())
            elif pause_s > 0:
                await self._sleep(pause_s)
            else:
                await self._start_next()

    async def _sleep(self, pause_s: float) -> None:
        """Wait for the end of the back-off, or for another crash."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), pause_s)

    async def _start_next(self) -> None:
        name = next(name for name in self._specs if name in self._down)
        cell = self._starting = self._cells[name]
        try:
            await cell.start(self._specs[name].start_timeout_s)
        except _SiblingDown as reason:
            log.info("start of %s broken off: %s", cell.label, reason)
        except Exception as error:
            if cell.incarnation == 1 and not self._crashes:
                # Nobody else to blame.
                raise
            self._crashes.append((cell, error))
        finally:
            self._starting = None
        self._down.discard(name)

    async def _take_down(self, cell: Cell, error: BaseException) -> None:
        """Stop what goes down with a crashed child, and decide when it is started again."""
        if cell.state is not State.CRASHED:
            # It has gone down with another child since.
            return
        decision = self._decide(cell, error)
        if isinstance(decision, Escalate):
            await cell.stop(self._specs[cell.name].stop_timeout_s)
            cell.give_up()
            raise GaveUp(f"supervisor {self.name} gave up: {decision.reason}")
        for name in reversed(decision.children):
            await self._cells[name].stop(self._specs[name].stop_timeout_s)
        self._down.update(self._wanted.intersection(decision.children))
        self._not_before = max(self._not_before, self._system.clock() + decision.delay_s)

    def _decide(self, cell: Cell, error: BaseException) -> Decision:
        if isinstance(error, OperatorKill):
            log.warning("actor %s was killed by an operator", cell.label)
            return self._policy.killed(cell.name)
        if isinstance(error, QuorateError) and error.is_final:
            return Escalate(f"{cell.name}: {error}")
        decision = self._policy.crashed(cell.name, self._system.clock(), text_of(error))
        if isinstance(decision, Escalate):
            log.critical("actor %s crashed: %s", cell.label, text_of(error), exc_info=error)
        else:
            log.error(
                "actor %s crashed (%d in %g s, %d are too many): %s; starting again in %.0f ms: %s",
                cell.label,
                decision.crashes,
                self._policy.limits.period_s,
                self._policy.limits.intensity + 1,
                text_of(error),
                decision.delay_s * 1000,
                ", ".join(name for name in decision.children if name in self._wanted),
                exc_info=error,
            )
        return decision
