"""The actor system of one server: who is there, and how a message gets from one to the other.

What lives here: the table of actors, the carrying of frames between mailboxes and links, dead letters, and what people
are shown of all this.  Not here: restarts (supervisor.py), handing messages over (cell.py), bytes on a socket
(transport/).

Everything runs on one event loop and one thread.  A system is made inside the running loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

import zmq
from msgspec.structs import replace

from actors.runtime.asks import ActorDied, Asks
from actors.runtime.cell import Cell, InjectedFault, OperatorKill, sender_of
from actors.runtime.dead_letter import DeadLetter, DeadLetters
from actors.runtime.lifecycle import ALIVE, State
from actors.runtime.limits import SystemLimits
from actors.runtime.messages import TIMER_DUE, Died, TimerDue
from actors.runtime.pump import Pump
from actors.runtime.ref import Ref
from actors.runtime.watch import HandlerWatch, LoopLag
from transport.stamp import Letter
from transport.wire import (
    CLIENT,
    NO_ACTOR,
    PROTOCOL_VERSION,
    ErrorReply,
    Header,
    Origin,
    WireError,
    decode_body,
    encode_body,
    is_urgent,
    kind_of,
    pack,
    unpack,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from actors.runtime.actor import Actor, Context, Sender
    from actors.runtime.supervisor import Supervisor

log = logging.getLogger("quorate.actors")


class RemoteSender(Protocol):
    """What carries frames to other servers and to clients: the links."""

    def send(self, address: str, letter: Letter, *, urgent: bool) -> bool:
        """Send a letter to an actor of another server; False when it is certain that it will not arrive."""

    def reply(self, routing_id: bytes, letter: Letter) -> bool:
        """Send a letter to a client; False when it is certain that it will not arrive."""


class System:
    """The actors of one server.

    server_id and address say who this server is, asked late because they may only be known once its files are open.
    clock gives monotonic seconds, wall_clock seconds since the epoch (for people only).  rng seeds every actor's own.
    """

    def __init__(
        self,
        *,
        server_id: Callable[[], str],
        address: Callable[[], str],
        rng: random.Random,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        limits: SystemLimits | None = None,
    ) -> None:
        self.limits = limits or SystemLimits()
        self.loop = asyncio.get_running_loop()
        self.clock = clock
        self.rng = rng
        self.zmq_context: zmq.SyncContext = zmq.Context()
        self.asks = Asks(self.loop, first=1 + rng.getrandbits(48), limit=self.limits.open_asks)
        self.pump = Pump(self.loop, clock, self.limits)
        self.handler_watch = HandlerWatch(clock, slow_s=self.limits.slow_handler_s, period_s=self.limits.watch_period_s)
        self.handler_watch.start()
        self._server_id = server_id
        self._address = address
        self._wall_clock = wall_clock
        self.loop_lag = LoopLag(self.loop, period_s=self.limits.lag_period_s)
        self._cells: dict[str, Cell] = {}
        self._supervisors: list[Supervisor] = []
        self._links: RemoteSender | None = None
        self._heads: dict[tuple[str, ...], bytes] = {}
        self._dead_letters = DeadLetters(self.limits.dead_letters)

    # --- who is there ---

    def add(
        self,
        name: str,
        factory: Callable[[Context], Actor],
        *,
        supervisor: str,
        on_crash: Callable[[Cell, BaseException], None],
    ) -> Cell:
        """Make the place of an actor; mail is kept for it from now on.  Raises ValueError when the name is taken."""
        if name in self._cells:
            raise ValueError(f"there are two actors {name}")
        cell = self._cells[name] = Cell(self, name, factory, supervisor=supervisor, on_crash=on_crash)
        return cell

    def add_supervisor(self, supervisor: Supervisor) -> None:
        """Show this supervisor in the tree."""
        self._supervisors.append(supervisor)

    def attach_links(self, links: RemoteSender | None) -> None:
        """Send to other servers through `links`; None while there are none."""
        self._links = links

    def close(self) -> None:
        """Give everything back.  The supervisors have stopped the actors before."""
        self.pump.close()
        self.handler_watch.stop()
        self.loop_lag.stop()
        for cell in self._cells.values():
            cell.inbox.close()
        self._cells.clear()
        self.zmq_context.destroy(linger=0)

    # --- sending ---

    def ref(self, actor: str, address: str | None = None, *, owner: str = "") -> Ref:
        """The actor of that name here, or on the server at `address`; `owner` names the actor that will send."""
        return Ref(self, actor, None if address in (None, "", self._address()) else address, owner)

    def head(self, to: str, kind: str, actor: str, ask: int) -> bytes:
        """The beginning of a frame between two actors of this server; the body follows."""
        return pack(Header(PROTOCOL_VERSION, to, kind, actor, 0, ask, Origin(self._server_id())), b"")

    def post(self, name: str, frame: bytes, *, urgent: bool) -> bool:
        """Put a frame into the mailbox of an actor of this server.  False, and a dead letter, when it is refused."""
        cell = self._cells.get(name)
        if cell is not None and cell.accepts and cell.inbox.put(frame, urgent):
            if not cell.queued and cell.state is State.RUNNING:
                self.pump.ready(cell)
            return True
        self.bury_frame(frame, "the mailbox is full" if self.serves(name) else "there is no such actor", to=name)
        return False

    def post_timer(self, name: str, number: int) -> bool:
        """Put the mark of a due timer into its actor's mailbox; the timer itself deals with a refusal."""
        cell = self._cells.get(name)
        if cell is None or not cell.accepts:
            return False
        self.pump.open_delivery()
        taken = cell.inbox.put(self.head(name, TIMER_DUE, name, 0) + encode_body(TimerDue(number)), urgent=False)
        if taken and cell.state is State.RUNNING:
            self.pump.ready(cell)
        self.pump.end_delivery()
        return taken

    def send(self, address: str, letter: Letter, *, urgent: bool) -> bool:
        """Send to an actor of another server.  False, and a dead letter, when it is certain not to arrive."""
        if self._links is not None and self._links.send(address, letter, urgent=urgent):
            return True
        dead = DeadLetter(letter.kind, f"{letter.to}@{address}", letter.actor, "no link takes it")
        self._note_dead(dead, logging.DEBUG)
        return False

    def answer(self, sender: Sender, msg: object, *, actor: str) -> None:
        """Answer an ask for `actor`.  Raises TypeError when `msg` is no registered message."""
        kind = kind_of(msg)
        if not sender.address and sender.routing_id is None:
            answered = self.asks.answer(sender.ask, msg)
        elif self._links is None:
            answered = False
        elif sender.routing_id is not None:
            answered = self._links.reply(sender.routing_id, Letter("", kind, encode_body(msg), ask=-sender.ask))
        else:
            letter = Letter(sender.actor, kind, encode_body(msg), actor, -sender.ask)
            answered = self._links.send(sender.address, letter, urgent=is_urgent(kind))
        if not answered:
            # A client may go when it likes: one that follows a log always goes in the middle of a question.
            level = logging.INFO if sender.routing_id is not None else logging.WARNING
            to = _label(sender.actor, sender.server)
            self._note_dead(DeadLetter(kind, to, actor, "nobody waits for this answer"), level)

    def serves(self, name: str) -> bool:
        """Whether there is such an actor, and it will ever handle mail again."""
        cell = self._cells.get(name)
        return cell is not None and cell.accepts

    # --- receiving from links ---

    def deliver(self, header: Header, origin: Origin, body: bytes, routing_id: bytes | None) -> bool:
        """Take a frame from a link: into a mailbox, or as the answer to an ask.  `routing_id`: it is a client's.

        False when it was refused and nobody has been told: it asked nothing, or not in the way of actors.
        """
        if routing_id is not None:
            origin = Origin(address=routing_id.hex())
            if header.ask < 0:
                header = replace(header, ask=0)
        elif not origin.sender or not origin.address:
            self.bury(replace(header, origin=origin), "it names no server to answer")
            return False
        if header.ask < 0:
            self._deliver_answer(header, origin, body)
        elif header.kind == TIMER_DUE:
            self.bury(replace(header, origin=origin), "this kind never travels between servers")
        elif not self.post(header.to, self._local_head(header, origin) + body, urgent=is_urgent(header.kind)):
            return self._refuse(header, origin)
        return True

    def _local_head(self, header: Header, origin: Origin) -> bytes:
        """What a mailbox needs to know of a link's frame: its place in the session of its link is of no use there.

        So what one actor tells another one has the same head each time, and is made, and read by the cell, once.
        """
        if header.ask:
            return pack(replace(header, origin=origin), b"")
        key = (header.to, header.kind, origin.sender, origin.address, header.actor)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= self.limits.known_heads:
                self._heads.clear()
            local = Origin(origin.sender, origin.address)
            head = self._heads[key] = pack(replace(header, sequence=0, origin=local), b"")
        return head

    def _refuse(self, header: Header, origin: Origin) -> bool:
        if not header.ask:
            return False
        refusal = (
            ErrorReply("MailboxFull", f"the mailbox of {header.to} is full")
            if self.serves(header.to)
            else ErrorReply(NO_ACTOR, f"there is no actor {header.to}")
        )
        self.answer(sender_of(replace(header, origin=origin)), refusal, actor=header.to)
        return True

    def peer_died(self, address: str, reason: str) -> None:
        """The process at `address` is known to be gone: end the asks that wait for it."""
        self.asks.fail_all_to(address, ActorDied(f"the server at {address} is gone: {reason}"))

    def _deliver_answer(self, header: Header, origin: Origin, body: bytes) -> None:
        try:
            reply = decode_body(header.kind, body)
        except WireError as error:
            reply = ErrorReply("WireError", str(error))
        if not self.asks.answer(-header.ask, reply):
            self.bury(replace(header, origin=origin), "nobody waits for this answer")

    # --- deaths ---

    def kill(self, name: str, incarnation: int) -> str:
        """End an incarnation because an operator says so; returns a line that says what happens.

        It ends a moment later, so that the answer leaves before the actors go that carry it.  Raises ValueError when
        that incarnation is not running: a command given twice must not kill twice.
        """
        cell = self._running(name)
        if cell.incarnation != incarnation:
            raise ValueError(f"{name} is now incarnation {cell.incarnation}, not {incarnation}: nothing done")
        if cell.doomed:
            raise ValueError(f"{cell.label} is being killed already: nothing done")
        cell.doomed = True
        self.loop.call_later(self.limits.kill_delay_s, self._carry_out_kill, cell, incarnation)
        return f"killed {cell.label}; its supervisor starts {name}@{incarnation + 1}"

    def _carry_out_kill(self, cell: Cell, incarnation: int) -> None:
        if cell.incarnation == incarnation:
            cell.crash(OperatorKill("killed by an operator"))

    def crash(self, name: str) -> None:
        """The fault hook: a real crash of the actor, counted as one.  Raises ValueError when it is not running."""
        self.loop.call_soon(self._running(name).crash, InjectedFault("crashed by the fault hook"))

    def watch(self, watcher: str, name: str) -> None:
        """Tell `watcher` of every end of an incarnation of `name`, at once if none is alive."""
        cell = self._cells.get(name)
        if cell is not None:
            cell.watchers.add(watcher)
        if cell is None or cell.state not in ALIVE:
            self.tell_died(watcher, name, cell.incarnation if cell else 0, "it is not alive")

    def tell_died(self, watcher: str, name: str, incarnation: int, reason: str) -> None:
        """Send a death notice to a watcher that is still there."""
        if self.serves(watcher):
            self.ref(watcher, owner=name).tell(Died(name, incarnation, reason))

    def _running(self, name: str) -> Cell:
        cell = self._cells.get(name)
        if cell is None:
            raise ValueError(f"there is no actor {name}, only {', '.join(sorted(self._cells))}")
        if cell.state is not State.RUNNING:
            raise ValueError(f"{cell.label} is {cell.state}: nothing done")
        return cell

    # --- dead letters ---

    def bury_frame(self, frame: bytes, reason: str, *, to: str, detail: str = "", level: int = logging.WARNING) -> None:
        """Record an undeliverable frame, whatever is in it."""
        try:
            header, _ = unpack(frame)
        except WireError:
            self._note_dead(DeadLetter("", to, "", reason), level, detail)
        else:
            self.bury(header, reason, detail, level=level)

    def bury(self, header: Header, reason: str, detail: str = "", *, level: int = logging.WARNING) -> None:
        """Record an undeliverable message."""
        sender = _label(header.actor, (header.origin or CLIENT).sender)
        self._note_dead(DeadLetter(header.kind, header.to, sender, reason), level, detail)

    def _note_dead(self, letter: DeadLetter, level: int, detail: str = "") -> None:
        count = self._dead_letters.add(letter, detail, self._wall_clock())
        # The first one, the second, the fourth, ...: a steady stream of them is seen, and does not fill the log.
        if count & (count - 1) == 0:
            why = f"{letter.reason}: {detail}" if detail else letter.reason
            log.log(level, "dead letter: %s from %s to %s: %s (%d)", letter.kind, letter.sender, letter.to, why, count)

    # --- what people see ---

    def loop_lag_s(self) -> float:
        """How late the event loop has been within the last two seconds."""
        return self.loop_lag.value_s()

    def actors(self) -> list[dict[str, Any]]:
        """Every actor, as plain data, in the order they were added."""
        return [cell.view() for cell in self._cells.values()]

    def tree(self) -> list[dict[str, Any]]:
        """Every supervisor with its children, as plain data."""
        return [supervisor.view() for supervisor in self._supervisors]

    def mailboxes(self) -> list[dict[str, Any]]:
        """The counts of every mailbox, as plain data."""
        return [cell.inbox.stats() for cell in self._cells.values()]

    def dead_letters(self) -> dict[str, Any]:
        """Undeliverable messages: how many, why, and the latest ones."""
        return self._dead_letters.view()


def _label(actor: str, server: str) -> str:
    if not server:
        return "a client"
    return f"{actor}@{server}" if actor else server
