"""The address of an actor: what others hold to tell it something or to ask it.

What lives here: `Ref`, the same for an actor of this server and for one of another server.  Not here: mailboxes and
links; the system carries the frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from actors.runtime.asks import ActorDied, AskError, MailboxFull, Timeout
from transport.stamp import Letter
from transport.wire import encode_body, is_urgent, kind_of

if TYPE_CHECKING:
    import asyncio

    from actors.runtime.system import System


class _Route(NamedTuple):
    """What is the same for every message of one class told through one ref."""

    kind: str
    urgent: bool
    head: bytes


class Ref:
    """An actor by name, on this server (`address` None) or on the server at `address`.

    A ref never goes stale: it names the actor, not one incarnation of it.
    """

    __slots__ = ("_owner", "_routes", "_system", "actor", "address")

    def __init__(self, system: System, actor: str, address: str | None, owner: str) -> None:
        self.actor = actor
        self.address = address
        self._system = system
        self._owner = owner
        self._routes: dict[type, _Route] = {}

    def __repr__(self) -> str:
        return f"Ref({self.label})"

    @property
    def label(self) -> str:
        """The actor for people: `raft`, or `raft@10.0.0.2:7001`."""
        return self.actor if self.address is None else f"{self.actor}@{self.address}"

    def tell(self, msg: object) -> bool:
        """Send and go on.  False when it is certain that the message will not arrive; it is then a dead letter.

        Raises TypeError for an object that is no registered message.
        """
        route = self._routes.get(type(msg)) or self._make_route(msg)
        if self.address is None:
            return self._system.post(self.actor, route.head + encode_body(msg), urgent=route.urgent)
        letter = Letter(self.actor, route.kind, encode_body(msg), self._owner)
        return self._system.send(self.address, letter, urgent=route.urgent)

    async def ask(self, msg: object, *, timeout_s: float) -> Any:
        """Send and wait for the answer.

        Raises Timeout, MailboxFull (certainly not handled), ActorDied, or RemoteError when the answer is an
        ErrorReply.  An actor that asks itself would wait for its own answer: RuntimeError, at once.
        """
        if self.address is None and self.actor == self._owner:
            raise RuntimeError(f"actor {self.actor} asks itself")
        asks = self._system.asks
        number, future = asks.open(self.address or "")
        deadline = self._system.loop.call_later(timeout_s, self._expire, future, msg, timeout_s)
        try:
            self._send_ask(msg, number)
            return await future
        finally:
            deadline.cancel()
            asks.close(number)

    def _send_ask(self, msg: object, number: int) -> None:
        kind = kind_of(msg)
        body = encode_body(msg)
        urgent = is_urgent(kind)
        system = self._system
        if self.address is not None:
            if not system.send(self.address, Letter(self.actor, kind, body, self._owner, number), urgent=urgent):
                raise MailboxFull(f"no link takes {kind} to {self.label}")
        elif not system.post(self.actor, system.head(self.actor, kind, self._owner, number) + body, urgent=urgent):
            raise self._refusal(kind)

    def _refusal(self, kind: str) -> AskError:
        if self._system.serves(self.actor):
            return MailboxFull(f"the mailbox of {self.actor} is full, {kind} was refused")
        return ActorDied(f"there is no actor {self.actor}")

    def _expire(self, future: asyncio.Future[Any], msg: object, timeout_s: float) -> None:
        if not future.done():
            future.set_exception(Timeout(f"{self.label} did not answer {kind_of(msg)} within {timeout_s:g} s"))

    def _make_route(self, msg: object) -> _Route:
        kind = kind_of(msg)
        route = _Route(kind, is_urgent(kind), self._system.head(self.actor, kind, self._owner, 0))
        self._routes[type(msg)] = route
        return route
