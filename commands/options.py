"""What every command that talks to a server has in common: its options, the request, and how the answer is printed.

Data goes to stdout and talk to stderr, so that a pipe gets the data alone.  The table form is text for eyes
(actors/views.py) without colours or boxes; `json` and `jsonl` are for scripts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import update_wrapper
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.types import StringParamType

from commands.config_file import CLIENT_TABLE, config_option
from commands.paths import FILE
from transport.address import parse_address
from transport.errors import AddressError
from transport.text import escaped, is_utf8, shortened

if TYPE_CHECKING:
    from quorate.client import Client
    from transport.client.sync_client import SyncClient

DEFAULT_ADDRESS: Final = "127.0.0.1:7946"
DEFAULT_TIMEOUT_S: Final = 5.0
FORMATS: Final = ("table", "json", "jsonl")
ENVIRONMENT: Final = "QUORATE_"
SECONDS_MAX: Final = 86_400.0

REASON_TIMEOUT_S: Final = 1.0
"""How long the reason may take why no server answered."""

Command = Callable[..., Any]


class Seconds(click.FloatRange):
    """A time: more than nothing and at most a day, unless other limits are given."""

    def __init__(self, min_s: float = 0, max_s: float = SECONDS_MAX) -> None:
        super().__init__(min=min_s, max=max_s, min_open=min_s == 0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; what is no number at all is compared with no limit."""
        seconds = float(super().convert(value, param, ctx))
        if isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


class Text(StringParamType):
    """Text that a server is sent: bytes that are no UTF-8 cannot be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, or the usage error."""
        text: str = super().convert(value, param, ctx)
        if not is_utf8(text):
            self.fail(f"{shortened(text)} is not UTF-8 text", param, ctx)
        return text


class Given(Text):
    """Text that says something: an empty one is a shell variable that was not set, more often than a wish."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, or the usage error."""
        text = super().convert(value, param, ctx)
        if not text:
            self.fail("it is empty: give a value, or leave it out", param, ctx)
        return text


class HostPort(Given):
    """The address of a server, HOST:PORT."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it was, or the usage error."""
        text = super().convert(value, param, ctx)
        try:
            parse_address(text)
        except AddressError as error:
            self.fail(escaped(str(error)), param, ctx)
        return text


TEXT: Final = Text()
GIVEN: Final = Given()
HOST_PORT: Final = HostPort()


class Remote:
    """The server a command is for, and how its answer is wanted."""

    def __init__(self, address: str, key_file: Path | None, timeout_s: float, form: str) -> None:
        self.address = address
        self.key_file = key_file
        self.timeout_s = timeout_s
        self.form = form

    def client(self) -> SyncClient:
        """A client of the server, to be used in a `with`."""
        from transport.client.sync_client import SyncClient

        key = None
        if self.key_file is not None:
            from transport.keys import load

            key = load(self.key_file)
        return SyncClient(self.address, key=key, timeout_s=self.timeout_s)

    @asynccontextmanager
    async def lasting_client(self) -> AsyncIterator[Client]:
        """A client for what outlives a server: it goes on at another one."""
        from quorate.client import Client
        from transport.client.errors import Unreachable

        async with AsyncExitStack() as stack:
            try:
                client = await stack.enter_async_context(
                    Client(self.address, key=self.key_file, timeout_s=self.timeout_s)
                )
            except Unreachable:
                # It has tried for as long as it may, and cannot tell a refused connection from a bad network.
                Remote(self.address, self.key_file, min(self.timeout_s, REASON_TIMEOUT_S), self.form).ask("status")
                raise
            yield client

    def ask(self, op: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """The answer to one operation."""
        with self.client() as client:
            return client.call(op, arguments)

    def show(self, value: Any, view: Callable[[Any], str], *, err: bool = False) -> None:
        """Print an answer: as JSON when that is wanted, else as `view` has it; err: on stderr."""
        if self.form == "table":
            click.echo(view(value), err=err)
        elif self.form == "jsonl":
            for row in value if isinstance(value, list) else [value]:
                click.echo(to_json(row), err=err)
        else:
            click.echo(to_json(value, indent=2), err=err)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON as scripts get it."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def environment(option: str) -> str:
    """The environment variable of an option: QUORATE_DATA_DIR for --data-dir."""
    return ENVIRONMENT + option.lstrip("-").upper().replace("-", "_")


format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    envvar=environment("--format"),
    show_default=True,
    help="A table for people; json or jsonl (one object a line) for scripts.",
)


def remote_command(*, timeout_s: float = DEFAULT_TIMEOUT_S) -> Callable[[Command], Command]:
    """Give a command the options of every command for a server; it gets a `Remote` as its first argument."""

    def decorate(command: Command) -> Command:
        def run(address: str, key_file: Path | None, timeout: float, form: str, **arguments: Any) -> Any:
            return command(Remote(address, key_file, timeout, form), **arguments)

        wrapped: Command = update_wrapper(run, command)
        for option in reversed(_remote_options(timeout_s)):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def _remote_options(timeout_s: float) -> list[Callable[[Command], Command]]:
    return [
        click.option(
            "--address",
            metavar="HOST:PORT",
            default=DEFAULT_ADDRESS,
            envvar=environment("--address"),
            show_default=True,
            show_envvar=True,
            help="Any server of the cluster.",
        ),
        click.option(
            "--key",
            "key_file",
            type=FILE,
            envvar=environment("--key"),
            show_envvar=True,
            help="The cluster's key file, or a client's.",
        ),
        click.option(
            "--timeout",
            type=Seconds(),
            default=timeout_s,
            envvar=environment("--timeout"),
            show_default=True,
            metavar="SECONDS",
            help="How long the answer may take.",
        ),
        format_option,
        config_option(table=CLIENT_TABLE),
    ]
