"""What keeps the event loop from turning: slow handlers, with their stack, and the loop's lag.

What lives here: measuring and logging.  Nothing here stops or punishes an actor.

The stack of a slow handler is only to be had while it runs, and then the loop runs nothing else: so a thread looks in
from outside, a few times a second.  asyncio's debug mode would tell the duration alone, and slows every callback.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = logging.getLogger("quorate.watch")

Running = tuple[str, str, float]
"""A handler at work: the actor's label, the message kind, and when it began."""


class HandlerWatch:
    """Reports handlers that run longer than `slow_s`; with their stack those that a look every `period_s` finds.

    The pump sets `current` before and clears it after each handler; one assignment, so that the thread never sees half
    of it.
    """

    def __init__(self, clock: Callable[[], float], *, slow_s: float, period_s: float) -> None:
        self.current: Running | None = None
        self.slow_s = slow_s
        self._clock = clock
        self._period_s = period_s
        self._reported: Running | None = None
        self._watched_thread = threading.get_ident()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from a thread of its own: what runs for the limit and a period is sure to be seen."""
        self._thread = threading.Thread(target=self._look_on, name="quorate-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if there is one."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Log the handler at work with its stack, once, if it has been at it for too long."""
        running = self.current
        if running is None or running is self._reported:
            return
        actor, kind, began = running
        elapsed_s = self._clock() - began
        if elapsed_s < self.slow_s:
            return
        frame = sys._current_frames().get(self._watched_thread)
        self._reported = running
        stack = "".join(traceback.format_stack(frame))
        log.warning("%s has been handling %s for %.0f ms, it is at\n%s", actor, kind, elapsed_s * 1000, stack)

    def finished(self, running: Running, elapsed_s: float) -> None:
        """Called by the pump for a handler that took longer than `slow_s`."""
        actor, kind, _ = running
        log.warning("%s took %.0f ms to handle %s", actor, elapsed_s * 1000, kind)

    def _look_on(self) -> None:
        while not self._stopped.wait(self._period_s):
            self.look()


class LoopLag:
    """How late the event loop comes to what is due: to the actors' timers, and to one of its own every `period_s`.

    A short stall between two of its own measurements is seen by the timers that it delays, which wake nobody for it.
    """

    _PERIODS = 2

    def __init__(self, loop: asyncio.AbstractEventLoop, *, period_s: float) -> None:
        self._loop = loop
        self._period_s = period_s
        self._worst_s = 0.0
        """Of the present period."""
        self._recent: deque[float] = deque(maxlen=self._PERIODS)
        """The worst of each of the last ones."""
        self._timer = loop.call_later(period_s, self._measure)

    def value_s(self) -> float:
        """The worst lag of the last few periods, the delay of an overdue measurement included."""
        overdue = self._loop.time() - self._timer.when()
        return max(overdue, self._worst_s, *self._recent)

    def note(self, due_s: float) -> None:
        """What was due at this time of the loop is done now."""
        self._worst_s = max(self._worst_s, self._loop.time() - due_s)

    def stop(self) -> None:
        """Measure no more."""
        self._timer.cancel()

    def _measure(self) -> None:
        self.note(self._timer.when())
        self._recent.append(self._worst_s)
        self._worst_s = 0.0
        self._timer = self._loop.call_later(self._period_s, self._measure)
