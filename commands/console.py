"""The command console: a terminal on the aiomonitor console of a running server."""

from __future__ import annotations

import socket
import sys
from typing import Final

import click

from commands.options import Remote, environment, remote_command
from transport.errors import QuorateError, UnreachableError

CONSOLE_HOST: Final = "127.0.0.1"
CONNECT_TIMEOUT_S: Final = 2.0


class ConsoleError(QuorateError):
    """There is no console to attach to."""


@click.command()
@click.option(
    "--monitor-port",
    type=click.IntRange(1, 65_533),
    envvar=environment("--monitor-port"),
    help="The first of the console's three ports; else the server at --address is asked.",
)
@remote_command()
def console(remote: Remote, monitor_port: int | None) -> None:
    """Attach to the console of a server on this machine, started with --monitor-port."""
    port = monitor_port or _ask_port(remote)
    try:
        # Its page, on the second port: the terminal, on the first, prints a traceback when somebody hangs up at once.
        socket.create_connection((CONSOLE_HOST, port + 1), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise UnreachableError(
            f"no console at {CONSOLE_HOST}:{port} ({error.strerror or error}): "
            "the server has one when it is started with --monitor-port"
        ) from None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        # The console's client waits for ever for the size of a terminal that is none.
        raise ConsoleError("the console needs a terminal; for scripts there are 'actors', 'members' and 'raft'")
    from aiomonitor.cli import monitor_client

    monitor_client(CONSOLE_HOST, port)


def _ask_port(remote: Remote) -> int:
    port = remote.ask("status")["monitor_port"]
    if not port:
        raise ConsoleError(
            f"the server at {remote.address} has no console: start it with --monitor-port P (three ports from P on)"
        )
    return int(port)
