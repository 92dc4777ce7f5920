"""The one pump: it decides which actor handles its mail next.

What lives here: the queue of actors that have mail.  What an actor does in its turn is in cell.py.

A message costs no task and no trip through epoll: a send puts the receiver into the queue, and one callback of the
event loop serves the queue round-robin, in bounded turns, until it is empty or its time is used up.  Whoever brings
mail from outside, in a callback of its own, opens a delivery: the queue is then served at the end of that callback.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from actors.runtime.cell import Cell
    from actors.runtime.limits import SystemLimits


class Pump:
    """Serves the actors of one system, on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float], limits: SystemLimits) -> None:
        self._loop = loop
        self._clock = clock
        self._limits = limits
        self._queue: deque[Cell] = deque()
        self._scheduled = False
        self._closed = False

    def ready(self, cell: Cell) -> None:
        """`cell` has mail and can handle it."""
        if cell.queued:
            return
        cell.queued = True
        self._queue.append(cell)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def open_delivery(self) -> None:
        """Mail comes in: serve nobody before `end_delivery`, which follows in the same callback."""
        self._scheduled = True

    def end_delivery(self) -> None:
        """All of it is in the mailboxes: serve them now."""
        self._run()

    def close(self) -> None:
        """Serve nobody any more."""
        self._closed = True
        self._queue.clear()

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            self._scheduled = bool(self._queue) and not self._closed
            if self._scheduled:
                self._loop.call_soon(self._run)

    def _serve(self) -> None:
        until = self._clock() + self._limits.pump_budget_s
        for _ in range(self._limits.pump_turns):
            if not self._queue:
                return
            cell = self._queue.popleft()
            # Cleared before the turn: what the actor sends to itself in its turn makes it ready again.
            cell.queued = False
            if cell.turn(self._limits.turn_messages):
                self.ready(cell)
            if self._clock() >= until:
                return
