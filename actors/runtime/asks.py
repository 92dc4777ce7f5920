"""Asks that wait for their reply, and the ways an ask can end badly.

What lives here: the table of this server's open asks, and the errors `Ref.ask` raises.  Not here: how a question and
its reply travel (ref.py, system.py), and the asks an actor has yet to answer (life.py).

Numbers start at a random place: a reply to an ask of this server's previous run must not answer one of this run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transport.wire import NO_ACTOR, ErrorReply

if TYPE_CHECKING:
    import asyncio


class AskError(Exception):
    """An ask ended without an answer."""


class Timeout(AskError):  # noqa: N818 - the design names the four ways an ask ends so
    """No answer in time.  Whether the message was handled is unknown."""


class MailboxFull(AskError):  # noqa: N818
    """The message was refused at once: a full mailbox, or no link.  It was certainly not handled."""


class ActorDied(AskError):  # noqa: N818
    """The actor died, or does not exist.  Whether the message was handled is unknown."""


class RemoteError(AskError):
    """The actor answered with an error.  `type` is its class name, `text` what it said."""

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(f"{type_name}: {text}")
        self.type = type_name
        self.text = text


_BY_NAME: dict[str, type[AskError]] = {"MailboxFull": MailboxFull, "ActorDied": ActorDied, NO_ACTOR: ActorDied}


def error_of(reply: ErrorReply) -> AskError:
    """The exception an error reply stands for."""
    known = _BY_NAME.get(reply.type)
    return known(reply.message) if known else RemoteError(reply.type, reply.message)


class Asks:
    """The open asks of one server."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, first: int, limit: int) -> None:
        self._loop = loop
        self._next = first
        self._limit = limit
        self._open: dict[int, tuple[asyncio.Future[Any], str]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, address: str) -> tuple[int, asyncio.Future[Any]]:
        """A number for a new ask and the future of its answer; `address` is "" for an actor of this server.

        Raises MailboxFull when too many asks are open.
        """
        if len(self._open) >= self._limit:
            raise MailboxFull(f"{self._limit} asks are open on this server")
        number = self._next
        self._next += 1
        future = self._loop.create_future()
        self._open[number] = (future, address)
        return number, future

    def close(self, number: int) -> None:
        """Forget an ask; whatever answers it from now on is late."""
        self._open.pop(number, None)

    def answer(self, number: int, reply: object) -> bool:
        """Hand a reply to the asker.  False when nobody waits for it any more."""
        found = self._open.pop(number, None)
        if found is None or found[0].done():
            return False
        if isinstance(reply, ErrorReply):
            found[0].set_exception(error_of(reply))
        else:
            found[0].set_result(reply)
        return True

    def fail_all_to(self, address: str, error: AskError) -> None:
        """End every ask to a server whose process is known to be gone."""
        for number in [number for number, (_, to) in self._open.items() if to == address]:
            future, _ = self._open.pop(number)
            if not future.done():
                future.set_exception(error)
