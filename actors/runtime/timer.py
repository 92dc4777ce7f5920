"""A timer of an actor: it puts a message at the tail of the actor's own mailbox.

What lives here: one timer.  The incarnation it belongs to (life.py) keeps it, and ends it.

What travels through the mailbox is only the timer's number.  So a timer that is cancelled while its message already
waits stays silent, and one of a dead incarnation does too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from actors.runtime.life import Life


class Timer:
    """A running timer.  Times are the event loop's, in seconds."""

    __slots__ = ("_due_s", "_handle", "_life", "_number", "_waits", "message", "period_s")

    RETRY_S = 0.01
    """How soon a single timer that met a full mailbox tries again: it may be all that keeps its actor going."""

    def __init__(self, life: Life, number: int, message: object, delay_s: float, period_s: float | None) -> None:
        self.message = message
        self.period_s = period_s
        self._life = life
        self._number = number
        self._waits = False
        self._due_s = life.system.loop.time() + delay_s
        self._handle: asyncio.TimerHandle = life.system.loop.call_at(self._due_s, self._fire)

    def cancel(self) -> None:
        """Never deliver again, not even what already waits in the mailbox."""
        self._handle.cancel()
        self._life.forget_timer(self._number)

    def taken(self) -> None:
        """Its mark in the mailbox was reached."""
        self._waits = False
        if self.period_s is None:
            self._life.forget_timer(self._number)

    def _fire(self) -> None:
        system = self._life.system
        loop = system.loop
        system.loop_lag.note(self._due_s)
        if self.period_s is not None:
            # Ticks that were missed are skipped, not made up for.  The loop may call a trifle early, too.
            missed = max((loop.time() - self._due_s) // self.period_s, 0.0)
            self._due_s += (missed + 1) * self.period_s
            self._handle = loop.call_at(self._due_s, self._fire)
        if self._waits:
            return
        # Last of all, since the mark may be reached, and this timer be cancelled, within the call.
        self._waits = True
        if not self._life.post_timer(self._number):
            self._waits = False
            if self.period_s is None:
                self._due_s = loop.time() + self.RETRY_S
                self._handle = loop.call_at(self._due_s, self._fire)
