"""The console's ports, looked at before a server starts: a taken one ends the start before others have heard of it.

What lives here: whether they can be had, and what to say when not. What does not: listening on them (console.py).
"""

from __future__ import annotations

from typing import Final

from actors.config import CONSOLE_PORTS
from transport.address import Address
from transport.errors import QuorateError
from transport.links.port import why_not_free

CONSOLE_HOST: Final = "127.0.0.1"


class ConsoleError(QuorateError):
    """The console cannot be had: a port of it is taken, or it does not start."""


def check_console_ports(first_port: int) -> None:
    """Raise ConsoleError when one of the console's three ports cannot be bound; with 0 there is no console.

    aiomonitor itself would wait for ever on a taken web port, be silently absent on a taken telnet port, and share a
    web port with another server that has it.
    """
    for port in range(first_port, first_port + CONSOLE_PORTS) if first_port else ():
        error = why_not_free(Address(CONSOLE_HOST, port))
        if error is not None:
            raise ConsoleError(
                f"the console cannot use port {CONSOLE_HOST}:{port} ({error.strerror}): "
                f"give the first of three free ports with --monitor-port, or leave it out"
            )
