"""One incarnation of an actor: everything that dies with it.

What lives here: the actor instance, its timers, its tasks, and the asks it has yet to answer.  What survives a restart
(mailbox, counters, state) is in cell.py.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor, Context, Sender
from actors.runtime.timer import Timer
from transport.wire import ErrorReply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors.runtime.system import System


class Life:
    """An incarnation.  `on_crash(error)` is called when a spawned task fails."""

    def __init__(self, system: System, name: str, incarnation: int, on_crash: Callable[[BaseException], None]) -> None:
        self.system = system
        self.name = name
        self.incarnation = incarnation
        self.label = f"{name}@{incarnation}"
        self.actor: Actor | None = None
        self.handlers: dict[type, Callable[[Any, Sender], Any]] = {}
        self.turn_end: Callable[[], None] | None = None
        self.timers: dict[int, Timer] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.handling = 0
        """Messages whose handlers are coroutines still at work."""
        self.ended = False
        self._asked: dict[Sender, None] = {}
        self._on_crash = on_crash
        self._next_timer = 1

    def build(self, factory: Callable[[Context], Actor]) -> Actor:
        """Make the actor.  Raises whatever its constructor raises."""
        actor = factory(Context(self, random.Random(self.system.rng.getrandbits(64))))
        self.actor = actor
        self.handlers = {cls: getattr(actor, method) for cls, method in actor.handlers.items()}
        if type(actor).on_turn_end is not Actor.on_turn_end:
            self.turn_end = actor.on_turn_end
        return actor

    def end(self, reason: str, *, server_stops: bool = False) -> None:
        """Let everything go: timers never fire, tasks are cancelled, whoever waits for an answer learns `reason`."""
        if self.ended:
            return
        self.ended = True
        for timer in list(self.timers.values()):
            timer.cancel()
        for task in self.tasks:
            task.cancel()
        # People read it, too: a client's request ends so.
        why = "the server is stopping" if server_stops else f"{self.label} died: {reason}"
        for sender in self._asked:
            self.system.answer(sender, ErrorReply("ActorDied", why), actor=self.name)
        self._asked.clear()

    # --- timers ---

    def start_timer(self, delay_s: float, msg: object, *, period_s: float | None) -> Timer:
        """A new running timer.  Raises RuntimeError when the incarnation has ended or has too many."""
        self._refuse_if_ended()
        if len(self.timers) >= self.system.limits.timers_per_actor:
            raise RuntimeError(f"{self.label} has {len(self.timers)} timers, which is the limit")
        number = self._next_timer
        self._next_timer += 1
        timer = self.timers[number] = Timer(self, number, msg, delay_s, period_s)
        return timer

    def forget_timer(self, number: int) -> None:
        """Called by a timer that is done."""
        self.timers.pop(number, None)

    def post_timer(self, number: int) -> bool:
        """Mark the place of a due timer in the mailbox; False when the mailbox is full."""
        return self.system.post_timer(self.name, number)

    def due(self, number: int) -> object | None:
        """The message of the timer whose mark was reached; None when it was cancelled or is of a dead incarnation."""
        timer = self.timers.get(number)
        if timer is None:
            return None
        timer.taken()
        return timer.message

    # --- tasks ---

    def run(self, coro: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        """A task that dies with the incarnation; whoever called looks at its result."""
        if self.ended:
            coro.close()
        self._refuse_if_ended()
        task = self.system.loop.create_task(coro, name=f"{self.label} {name}".rstrip())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task that dies with the incarnation; its exception is a crash."""
        task = self.run(coro, name)
        task.add_done_callback(self._spawned_done)
        return task

    def _spawned_done(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._on_crash(error)

    def _refuse_if_ended(self) -> None:
        if self.ended:
            raise RuntimeError(f"{self.label} has ended")

    # --- asks to be answered ---

    def owes(self, sender: Sender) -> None:
        """An ask was handled and not answered yet."""
        if len(self._asked) >= self.system.limits.unanswered_asks:
            # The oldest asker has long given up: every ask has a time limit.
            del self._asked[next(iter(self._asked))]
        self._asked[sender] = None

    def reply(self, sender: Sender, msg: object) -> None:
        """Answer an ask; nothing when `sender` did not ask."""
        if sender.ask or sender.routing_id is not None:
            self.system.answer(sender, msg, actor=self.name)
        # Only now: an answer that cannot be sent is a crash, and the asker is to learn of it.
        self._asked.pop(sender, None)
