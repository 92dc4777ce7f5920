"""Event handlers: commands that an operator wants run when something happens, and what such a command is told.

What lives here: how a handler is written, which events it is for, its environment and its standard input. What does
not: running it (runner.py). There is no shell between: `sh -c '...'` is one if it is wanted.

The environment and the input are Serf's, with another prefix: QUORATE_EVENT, QUORATE_SELF_NAME, QUORATE_SELF_ROLE,
QUORATE_TAG_*, QUORATE_USER_EVENT, QUORATE_USER_LTIME, QUORATE_QUERY_NAME, QUORATE_QUERY_LTIME.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from actors.events.member_events import MemberEvent
from transport.errors import QuorateError
from transport.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from actors.gossip.dispatches import Query, UserEvent
    from actors.gossip.member import Member

HANDLERS_MAX: Final = 64
USER: Final = "user"
QUERY: Final = "query"
ANY: Final = "*"
_KINDS: Final = (*(event.value for event in MemberEvent), USER, QUERY, ANY)


class HandlerError(QuorateError):
    """An event handler that makes no sense; the message says what one looks like."""

    exit_code = 2


class Filter(Struct, frozen=True):
    """Which events are meant. name: of a user event or a query; "" for any."""

    kind: str
    name: str = ""

    def lets(self, kind: str, name: str) -> bool:
        """Whether an event is meant."""
        return self.kind == ANY or (self.kind == kind and self.name in ("", name))


class Handler(Struct, frozen=True):
    """A command and the events it is run for."""

    filters: tuple[Filter, ...]
    command: tuple[str, ...]
    text: str
    """As it was written."""

    def wants(self, kind: str, name: str = "") -> bool:
        """Whether it is run for such an event."""
        return any(one.lets(kind, name) for one in self.filters)


class Job(Struct, frozen=True):
    """One run of a handler. query: the id of the query that its output answers, or 0."""

    command: tuple[str, ...]
    environment: dict[str, str]
    given: bytes
    """Its standard input."""
    query: int = 0


def parse_handler(text: str) -> Handler:
    """A handler out of FILTER=COMMAND, or of a COMMAND for all events. Raises HandlerError."""
    filters, equals, command = text.partition("=")
    if not equals:
        filters, command = ANY, text
    parsed = tuple(_parse_filter(text, one.strip()) for one in filters.split(","))
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise HandlerError(f"--event-handler {shortened(text)}: the command is not understood: {error}") from None
    if not words:
        raise HandlerError(f"--event-handler {shortened(text)} has no command: write FILTER=COMMAND")
    return Handler(parsed, words, text)


def _parse_filter(text: str, one: str) -> Filter:
    kind, colon, name = one.partition(":")
    if kind not in _KINDS or (colon and (kind not in (USER, QUERY) or not name)):
        raise HandlerError(
            f"--event-handler {shortened(text)}: {one!r} is no event; use {', '.join(_KINDS)}, user:NAME or "
            "query:NAME, several with commas between, before the = and the command"
        )
    return Filter(kind, name)


def answers(handlers: Iterable[Handler], query: str) -> bool:
    """Whether one of them answers a query of this name."""
    return any(handler.wants(QUERY, query) for handler in handlers)


# --- what a handler is told -------------------------------------------------------------------------------------------


def member_job(handler: Handler, event: MemberEvent, members: Iterable[Member]) -> Job:
    """Run it for what has happened to members: a line each of name, address, role, tags and id, with tabs between."""
    lines = [
        "\t".join((member.name, member.address, member.tags.get("role", ""), _tags(member.tags), member.id))
        for member in members
    ]
    return Job(handler.command, {"QUORATE_EVENT": event.value}, "".join(f"{line}\n" for line in lines).encode())


def user_job(handler: Handler, event: UserEvent) -> Job:
    """Run it for a user event, whose payload is its input."""
    told = {"QUORATE_EVENT": USER, "QUORATE_USER_EVENT": event.name, "QUORATE_USER_LTIME": str(event.ltime)}
    return Job(handler.command, told, event.payload)


def query_job(handler: Handler, query: Query) -> Job:
    """Run it for a query, whose payload is its input; what it prints is the answer."""
    told = {"QUORATE_EVENT": QUERY, "QUORATE_QUERY_NAME": query.name, "QUORATE_QUERY_LTIME": str(query.ltime)}
    return Job(handler.command, told, query.payload, query.id)


def self_environment(name: str, address: str, key_file: Path | None, tags: Mapping[str, str]) -> dict[str, str]:
    """What every handler of a server is told of it. With address and key the command line talks to this very server."""
    key = {"QUORATE_KEY": str(key_file.absolute())} if key_file is not None else {}
    told = key | {
        "QUORATE_SELF_NAME": name,
        "QUORATE_SELF_ROLE": tags.get("role", ""),
        "QUORATE_ADDRESS": address,
    }
    return told | {f"QUORATE_TAG_{re.sub(r'[^A-Z0-9_]', '_', key.upper())}": value for key, value in tags.items()}


def _tags(tags: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(tags.items()))
