"""The console's start: never half there, never a hang."""

from __future__ import annotations

import socket
import threading

import pytest

from actors.config import CONSOLE_PORTS
from actors.console import in_thread
from actors.console_ports import CONSOLE_HOST, ConsoleError, check_console_ports
from tests.ports import free_ports


@pytest.mark.parametrize("offset", range(CONSOLE_PORTS))
def test_a_taken_port_is_an_error_that_names_it(offset: int) -> None:
    """Each of the three: aiomonitor would hang on one, be deaf on another and share the third."""
    first = free_ports(CONSOLE_PORTS)
    with socket.socket() as taken:
        taken.bind((CONSOLE_HOST, first + offset))
        taken.listen()

        with pytest.raises(ConsoleError, match=rf":{first + offset} .*--monitor-port"):
            check_console_ports(first)


def test_free_ports_pass() -> None:
    """And are free afterwards: the check leaves nothing behind."""
    first = free_ports(CONSOLE_PORTS)

    check_console_ports(first)
    check_console_ports(first)


async def test_what_blocks_is_given_up() -> None:
    """A thread that never comes back costs its time limit and no more."""
    never = threading.Event()

    with pytest.raises(TimeoutError):
        await in_thread(never.wait, timeout_s=0.01)
    never.set()


async def test_an_error_in_the_thread_is_the_callers() -> None:
    """What the function raises is raised where it was asked for."""
    first = free_ports(CONSOLE_PORTS)
    with socket.create_server((CONSOLE_HOST, first)), pytest.raises(ConsoleError, match=f":{first} "):
        await in_thread(check_console_ports, first, timeout_s=10.0)
