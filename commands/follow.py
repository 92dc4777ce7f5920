"""Following what goes on in a server, over one connection, until the server is gone.

What lives here: asking again and again, and telling a lost connection from a server that is gone.  What does not: what
is followed and how it is shown (the commands), and the feeds themselves (actors/gateway/streams.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import click

from commands.options import Remote
from transport.client.errors import Unreachable

WAIT_S: Final = 10.0
"""How long one question waits for an entry.  A server that is gone, or stopped, is noticed by the connection."""


class Follower:
    """A connection for many questions.  Lost, it is made anew once: perhaps the server's gateway only began anew."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._open = ExitStack()
        self._client = self._open.enter_context(remote.client())
        self._has_answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def ask(self, op: str, arguments: Mapping[str, Any] | None = None, *, wait_s: float = 0.0) -> Any:
        """The answer to one question, which may take `wait_s` longer.  Raises Unreachable, in the end."""
        try:
            answer = self._client.call(op, arguments, timeout_s=wait_s + self._remote.timeout_s)
        except Unreachable:
            if not self._has_answered:
                raise
            self._open.close()
            self._client = self._open.enter_context(self._remote.client())
            self._has_answered = False
            try:
                return self.ask(op, arguments, wait_s=wait_s)
            except Unreachable:
                where = self._remote.address
                why = "it was stopped, it has crashed, or nothing reaches it"
                raise Unreachable(f"the server at {where} went away: {why}") from None
        self._has_answered = True
        return answer


def follow(remote: Remote, op: str, arguments: Mapping[str, Any], noun: str) -> Iterator[Any]:
    """The entries of a feed, those that are kept first, then as they come.  Ends with Unreachable.

    How many entries came faster than they were taken is said on stderr; noun: what they are called there.
    """
    cursor = ""
    with Follower(remote) as follower:
        while True:
            page = follower.ask(op, {**arguments, "cursor": cursor, "wait_s": WAIT_S}, wait_s=WAIT_S)
            if page["dropped"]:
                click.echo(f"{page['dropped']} {noun} dropped: they came faster than they were taken", err=True)
            yield from page["entries"]
            cursor = page["cursor"]
