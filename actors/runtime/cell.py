"""The place of one actor in the runtime: everything that survives its restarts.

What lives here: the inbox, the state, the counters, and the handing over of messages to the present incarnation.
Not here: when to run (pump.py), whether to restart (supervisor.py), what dies with an incarnation (life.py).

A message whose handler crashed is handed once more, to the next incarnation, before everything else; a second crash
makes it poison.  Not handed again is a message whose kind says so (`retry=False`), and an ask: its asker has learned of
the death and decides for itself.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.runtime.actor import Sender
from actors.runtime.inbox import Inbox
from actors.runtime.life import Life
from actors.runtime.lifecycle import ALIVE, FINAL, Event, State, following
from actors.runtime.messages import TIMER_DUE
from transport.text import text_of
from transport.wire import CLIENT, ErrorReply, Header, WireError, decode_body, head_bytes, is_retried, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.actor import Actor, Context
    from actors.runtime.system import System

log = logging.getLogger("quorate.actors")


class OperatorKill(Exception):  # noqa: N818 - a wish, not an error
    """The end of an incarnation that an operator asked for."""


class InjectedFault(Exception):  # noqa: N818 - no error of anybody's
    """A crash made by the fault hook."""


TURN_END = "on_turn_end"


class _Head(NamedTuple):
    """The head of a frame, read."""

    size: int
    header: Header
    sender: Sender


class _Handing(NamedTuple):
    """A message on its way through a handler."""

    header: Header
    frame: bytes
    again: bool
    """Whether it crashed the previous incarnation."""


class Cell:
    """One actor's place.  `on_crash(cell, error)` is called for a crash while it runs; the supervisor decides."""

    def __init__(
        self,
        system: System,
        name: str,
        factory: Callable[[Context], Actor],
        *,
        supervisor: str,
        on_crash: Callable[[Cell, BaseException], None],
    ) -> None:
        self.name = name
        self.supervisor = supervisor
        self.state = State.WAITING
        self.incarnation = 0
        self.handled = 0
        self.error: BaseException | None = None
        """What ended the last incarnation that crashed."""
        self.queued = False
        """Whether the pump has this cell in its queue."""
        self.doomed = False
        """Whether a kill of the present incarnation is under way."""
        self.watchers: set[str] = set()
        self.inbox = Inbox(system.zmq_context, name, system.limits)
        self._system = system
        self._clock = system.clock
        self._watch = system.handler_watch
        self._factory = factory
        self._on_crash = on_crash
        self._life: Life | None = None
        self._heads: dict[bytes, _Head] = {}
        self._ending: asyncio.Task[None] | None = None

    @property
    def label(self) -> str:
        """The present incarnation, as `NAME@INCARNATION`."""
        return f"{self.name}@{self.incarnation}"

    @property
    def last_error(self) -> str:
        """Why the last incarnation that crashed did so, in one line; "" when none has."""
        return "" if self.error is None else text_of(self.error)

    @property
    def accepts(self) -> bool:
        """Whether mail will ever be handed over again."""
        return self.state not in FINAL

    def view(self) -> dict[str, Any]:
        """The actor as plain data."""
        return {
            "name": self.name,
            "incarnation": self.incarnation,
            "state": str(self.state),
            "supervisor": self.supervisor,
            "restarts": max(0, self.incarnation - 1),
            "mailbox": len(self.inbox),
            "handled": self.handled,
            "tasks": len(self._life.tasks) if self._life else 0,
            "timers": len(self._life.timers) if self._life else 0,
            "last_error": self.last_error,
        }

    # --- life ---

    async def start(self, timeout_s: float) -> None:
        """Make the next incarnation and run its `on_start`.  Raises what ended it if that fails."""
        self._move(Event.START)
        self.incarnation += 1
        self.doomed = False
        life = self._life = Life(self._system, self.name, self.incarnation, self.crash)
        try:
            starting = life.run(life.build(self._factory).on_start())
            await asyncio.wait({starting}, timeout=timeout_s)
            if not starting.done():
                raise TimeoutError(f"{life.label} did not start within {timeout_s:g} s")
            if not starting.cancelled():
                starting.result()
        except BaseException as error:
            self.crash(error)
            raise
        if self.state is not State.STARTING:
            raise self.error or AssertionError(f"{life.label} is {self.state} after its start")
        self._move(Event.STARTED)
        if len(self.inbox):
            self._system.pump.ready(self)

    async def stop(self, timeout_s: float, *, server_stops: bool = False) -> None:
        """End the present incarnation in order, or clean up after its crash.  `timeout_s` limits each step.

        server_stops: there will be no next incarnation, which is what whoever waits for an answer has to know.

        Goes on by itself when its caller is cancelled: `on_stop` runs once per incarnation.
        """
        if self.state is State.RUNNING:
            self._move(Event.STOP)
        if self._ending is None and self._life is not None and self.state in (State.STOPPING, State.CRASHED):
            self._ending = self._system.loop.create_task(
                self._end(self._life, timeout_s, server_stops=server_stops), name=f"{self.label} ends"
            )
        if self._ending is not None:
            await asyncio.shield(self._ending)

    async def _end(self, life: Life, timeout_s: float, *, server_stops: bool) -> None:
        if life.actor is not None:
            await self._run_on_stop(life, life.actor, timeout_s)
        if self.state is State.STOPPING:
            life.end("it was stopped", server_stops=server_stops)
            self._tell_watchers(life, "it was stopped")
        if life.tasks:
            await asyncio.wait(life.tasks, timeout=timeout_s)
        self._life = self._ending = None
        self._move(Event.ENDED)

    def give_up(self) -> None:
        """It will not be restarted: refuse mail from now on."""
        self._move(Event.GIVE_UP)
        self._bury_all("the actor was given up")

    def close(self) -> None:
        """Refuse mail from now on, for good, and close the mailbox; what waits becomes dead letters."""
        self._move(Event.CLOSE)
        self._bury_all("the actor has stopped")
        self.inbox.close()

    def crash(self, error: BaseException) -> None:
        """End the present incarnation because of `error`."""
        life = self._life
        if self.state not in ALIVE or life is None:
            log.debug("%s failed after its end: %s", self.label, text_of(error))
            return
        running = self.state is State.RUNNING
        self._move(Event.CRASH)
        self.error = error
        life.end(text_of(error))
        self._tell_watchers(life, text_of(error))
        if running:
            self._on_crash(self, error)

    async def _run_on_stop(self, life: Life, actor: Actor, timeout_s: float) -> None:
        stopping = self._system.loop.create_task(actor.on_stop(), name=f"{life.label} on_stop")
        await asyncio.wait({stopping}, timeout=timeout_s)
        if not stopping.done():
            stopping.cancel()
            log.warning("%s did not stop within %g s", life.label, timeout_s)
        elif not stopping.cancelled() and (error := stopping.exception()):
            log.warning("%s failed while it stopped: %s", life.label, text_of(error), exc_info=error)

    def _tell_watchers(self, life: Life, reason: str) -> None:
        for watcher in self.watchers:
            self._system.tell_died(watcher, self.name, life.incarnation, reason)

    def _bury_all(self, reason: str) -> None:
        for frame in self.inbox.empty():
            self._system.bury_frame(frame, reason, to=self.name, level=logging.DEBUG)

    def _move(self, event: Event) -> None:
        self.state = following(self.state, event)

    # --- mail ---

    def turn(self, max_messages: int) -> bool:
        """Hand over up to `max_messages`.  True when more may be waiting."""
        life = self._life
        coroutines_max = self._system.limits.coroutines_per_actor
        take = self.inbox.take
        handed = 0
        while handed < max_messages and self.state is State.RUNNING and life is not None:
            if life.handling >= coroutines_max or (taken := take()) is None:
                break
            self._hand_over(life, *taken)
            handed += 1
        if handed and life is not None and life.turn_end is not None and self.state is State.RUNNING:
            self._end_turn(life, life.turn_end)
        return handed == max_messages

    def _hand_over(self, life: Life, frame: bytes, again: bool) -> None:
        try:
            size, header, sender = self._heads.get(frame[: head_bytes(frame)]) or self._read_head(frame)
            msg = decode_body(header.kind, frame[size:])
        except WireError as error:
            self._system.bury_frame(frame, "it does not decode", to=self.name, detail=str(error))
            return
        if header.kind == TIMER_DUE:
            msg = life.due(msg.timer)
            if msg is None:
                return
        handler = life.handlers.get(type(msg))
        if handler is None:
            self._refuse(header, sender)
            return
        if header.ask:
            # Before the handler runs: it may answer by itself, and if it crashes the asker has to learn of it.
            life.owes(sender)
        watch = self._watch
        began = self._clock()
        watch.current = running = (life.label, header.kind, began)
        try:
            result = handler(msg, sender)
            if result is not None:
                self._take_result(life, result, sender, _Handing(header, frame, again))
        except Exception as error:
            self._crash_at(error, _Handing(header, frame, again))
        else:
            self.handled += 1
        watch.current = None
        elapsed_s = self._clock() - began
        if elapsed_s >= watch.slow_s:
            watch.finished(running, elapsed_s)

    def _read_head(self, frame: bytes) -> _Head:
        header, body = unpack(frame)
        head = _Head(len(frame) - len(body), header, sender_of(header))
        # An ask has a number of its own; what is told comes with the same head again and again.
        if not header.ask:
            if len(self._heads) >= self._system.limits.known_heads:
                self._heads.clear()
            self._heads[frame[: head.size]] = head
        return head

    def _take_result(self, life: Life, result: object, sender: Sender, handing: _Handing) -> None:
        if not isinstance(result, CoroutineType):
            life.reply(sender, result)
            return
        task = life.run(result, handing.header.kind)
        life.handling += 1
        task.add_done_callback(partial(self._coroutine_done, life, sender, handing))

    def _coroutine_done(self, life: Life, sender: Sender, handing: _Handing, task: asyncio.Task[Any]) -> None:
        life.handling -= 1
        if life.ended:
            # Its asker has been told by the end of the incarnation; a tell would be gone without a word.
            cut_short = task.cancelled() or task.exception() is not None
            if cut_short and not handing.header.ask:
                self._system.bury(handing.header, "the actor ended while it handled this")
            return
        try:
            result = task.result()
            if result is not None:
                life.reply(sender, result)
        except (Exception, asyncio.CancelledError) as error:
            self._crash_at(error, handing)
        if len(self.inbox):
            self._system.pump.ready(self)

    def _end_turn(self, life: Life, turn_end: Callable[[], None]) -> None:
        watch = self._watch
        began = self._clock()
        watch.current = running = (life.label, TURN_END, began)
        try:
            turn_end()
        except Exception as error:
            self.crash(error)
        watch.current = None
        elapsed_s = self._clock() - began
        if elapsed_s >= watch.slow_s:
            watch.finished(running, elapsed_s)

    def _crash_at(self, error: BaseException, handing: _Handing) -> None:
        kind = handing.header.kind
        if handing.again:
            log.error("%s: %s is poison, it crashed its handler twice and is set aside", self.label, kind)
            self._system.bury(handing.header, "poison: it crashed its handler twice", text_of(error))
        elif handing.header.ask or not is_retried(kind):
            self._system.bury(handing.header, "it crashed its handler", text_of(error))
        else:
            self.inbox.put_back(handing.frame)
        self.crash(error)

    def _refuse(self, header: Header, sender: Sender) -> None:
        self._system.bury(header, "the actor has no handler for it")
        if header.ask:
            refusal = ErrorReply("NoHandler", f"{self.name} has no handler for {header.kind}")
            self._system.answer(sender, refusal, actor=self.name)


def sender_of(header: Header) -> Sender:
    """The sender of a frame in a local mailbox.

    A client has no address to be answered at; `System.deliver` has put its routing id there, as hexadecimal digits.
    """
    origin = header.origin or CLIENT
    if origin.sender:
        return Sender(origin.sender, origin.address, header.actor, header.ask)
    return Sender("", "", "", header.ask, bytes.fromhex(origin.address))
