"""What one writes to make an actor: a class, its message handlers, and the context it is given.

What lives here: `Actor`, `handles`, `Context`, `Sender`, and the names an actor's author needs from the other files.
Not here: mailboxes, restarts, the pump (cell.py, supervisor.py, system.py).

Rules:
1. One instance is one incarnation.  After a crash a new instance is made; nothing of the old one is carried over but
   the mailbox.
2. A handler is an ordinary method: it runs to its end, and nothing else runs meanwhile.  What it returns answers an
   ask.  A handler that has to wait is a coroutine: it runs as a task of the actor, beside the messages that follow.
3. An exception that leaves a handler, `on_turn_end` or a spawned task ends the incarnation.  A failure that is part of
   the protocol is an answer (`ErrorReply`, or a message of one's own), not an exception.
4. Messages are frozen Structs, registered with `transport.wire.message`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from actors.runtime.asks import ActorDied, AskError, MailboxFull, RemoteError, Timeout
from actors.runtime.messages import Died
from actors.runtime.ref import Ref
from actors.runtime.timer import Timer

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Callable, Coroutine

    from actors.runtime.life import Life

__all__ = [
    "Actor",
    "ActorDied",
    "AskError",
    "Context",
    "Died",
    "MailboxFull",
    "Ref",
    "RemoteError",
    "Sender",
    "Timeout",
    "Timer",
    "handles",
]

_HANDLES = "_quorate_handles"

F = TypeVar("F", bound="Callable[..., Any]")


class Sender(msgspec.Struct, frozen=True, gc=False):
    """Who sent a message, and what an answer needs to find its way back."""

    server: str
    """Id of the sending server, "" for a client."""
    address: str
    """Advertised address of the sending server, "" for an actor of this server or a client."""
    actor: str
    """Name of the sending actor, "" when it is none."""
    ask: int
    """0 for a tell, else the number of the ask."""
    routing_id: bytes | None = None
    """A client's, for the answer; None for an actor."""


def handles(*classes: type) -> Callable[[F], F]:
    """Mark a method as the handler of messages of these classes: `def f(self, msg, sender: Sender)`."""

    def mark(method: F) -> F:
        setattr(method, _HANDLES, classes)
        return method

    return mark


def _handlers_of(cls: type) -> dict[type, str]:
    """The handlers marked in this very class."""
    found: dict[type, str] = {}
    for name, method in vars(cls).items():
        for message_class in getattr(method, _HANDLES, ()):
            if message_class in found:
                raise TypeError(f"{cls.__name__} handles {message_class.__name__} twice")
            if message_class.__hash__ is None:
                raise TypeError(f"{message_class.__name__} is not frozen, so it is no message")
            found[message_class] = name
    return found


class Actor:
    """The base of every actor.  The runtime calls; the actor never calls the runtime but through its context."""

    handlers: ClassVar[dict[type, str]] = {}
    """Message class to method name, inherited ones included."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.handlers = {}
        for base in reversed(cls.__mro__):
            cls.handlers |= _handlers_of(base)

    async def on_start(self) -> None:
        """Called before the first message, and awaited before the supervisor starts the next child.

        An exception counts as a crash.
        """

    def on_turn_end(self) -> None:
        """Called after each batch of handled messages: the place to send on what the batch has piled up."""

    async def on_stop(self) -> None:
        """Called at the end of the incarnation, also after a crash and after an `on_start` that failed.

        Give back what the process would otherwise keep (sockets, files, threads).  It has a time limit, and an
        exception is only logged.
        """


class Context:
    """What one incarnation of an actor may do with the runtime."""

    def __init__(self, life: Life, rng: random.Random) -> None:
        self._life = life
        self._refs: dict[tuple[str, str | None], Ref] = {}
        self.name: str = life.name
        self.incarnation: int = life.incarnation
        self.rng = rng
        """This incarnation's own random numbers, seeded from the system's."""
        self.now: Callable[[], float] = life.system.clock
        """Seconds on the monotonic clock."""

    @property
    def me(self) -> Ref:
        """This actor."""
        return self.ref(self.name)

    def ref(self, actor: str, address: str | None = None) -> Ref:
        """The actor of that name on this server, or on the server at `address`."""
        key = (actor, address)
        ref = self._refs.get(key)
        if ref is None:
            if len(self._refs) >= self._life.system.limits.refs_per_actor:
                self._refs.clear()
            ref = self._refs[key] = self._life.system.ref(actor, address, owner=self.name)
        return ref

    def after(self, delay_s: float, msg: object) -> Timer:
        """Put `msg` at the tail of this actor's mailbox in `delay_s` seconds, unless cancelled or the actor has died.

        What was queued before is handled before: input that waits in the mailbox is seen before a timer acts on its
        absence.
        """
        return self._life.start_timer(delay_s, msg, period_s=None)

    def every(self, period_s: float, msg: object) -> Timer:
        """Like `after`, again and again.  A tick that is not handled yet is never joined by a second one."""
        return self._life.start_timer(period_s, msg, period_s=period_s)

    def spawn(self, coro: Coroutine[Any, Any, Any], *, name: str = "") -> asyncio.Task[Any]:
        """Run `coro` as a task that is cancelled when the actor dies, and whose exception is the actor's crash."""
        return self._life.spawn(coro, name)

    def reply(self, sender: Sender, msg: object) -> None:
        """Answer an ask after its handler has returned None.  Answers nothing when `sender` told, not asked."""
        self._life.reply(sender, msg)

    def watch(self, actor: str) -> None:
        """Be told `Died` whenever an incarnation of that actor of this server ends, at once if it is not alive now."""
        self._life.system.watch(self.name, actor)
