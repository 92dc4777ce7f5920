"""Following what goes on in a server: the entries of one of its feeds, over one connection, until the server is gone.

What lives here: asking again and again.  What does not: what is followed and how it is shown (the commands), and the
feed itself (actors/gateway/streams.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from commands.options import Remote
from transport.client_errors import Unreachable

WAIT_S: Final = 10.0
"""How long one question waits for an answer.  A server that is gone, or stopped, is noticed by the connection."""


def follow(remote: Remote, op: str, arguments: Mapping[str, Any], noun: str) -> Iterator[Any]:
    """The entries of a feed, those that are kept first, then as they come.  Ends with Unreachable.

    How many entries came faster than they were taken is said on stderr; noun: what they are called there.
    """
    cursor = ""
    with remote.client() as client:
        while True:
            question = {**arguments, "cursor": cursor, "wait_s": WAIT_S}
            try:
                page = client.call(op, question, timeout_s=WAIT_S + remote.timeout_s)
            except Unreachable as error:
                raise gone(remote, error) if cursor else error from None
            if page["dropped"]:
                click.echo(f"{page['dropped']} {noun} dropped: they came faster than they were taken", err=True)
            yield from page["entries"]
            cursor = page["cursor"]


def gone(remote: Remote, error: Unreachable) -> Unreachable:
    """The end of following a server that has answered before."""
    return Unreachable(f"the server at {remote.address} went away ({error})")
