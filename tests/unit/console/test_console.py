"""The console's start: never half there, never a hang."""

from __future__ import annotations

import socket
import threading

import pytest

from actors.console import CONSOLE_HOST, CONSOLE_PORTS, ConsoleError, check_console_ports, in_thread
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


@pytest.mark.parametrize("port", [-1, 0, 65_534, 70_000])
def test_three_ports_have_to_fit(port: int) -> None:
    """A number that leaves no room is refused with the option's name."""
    with pytest.raises(ConsoleError, match="--monitor-port"):
        check_console_ports(port)


async def test_what_blocks_is_given_up() -> None:
    """A thread that never comes back costs its time limit and no more."""
    never = threading.Event()

    with pytest.raises(TimeoutError):
        await in_thread(never.wait, timeout_s=0.01)
    never.set()


async def test_an_error_in_the_thread_is_the_callers() -> None:
    """What the function raises is raised where it was asked for."""
    with pytest.raises(ConsoleError, match="monitor-port 0"):
        await in_thread(check_console_ports, 0, timeout_s=10.0)
