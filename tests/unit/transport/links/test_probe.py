"""The plain TCP connect: what counts as evidence."""

from __future__ import annotations

import logging
import socket

import pytest

from tests.unit.transport.links.network import Server, free_port, until
from transport.address import Address, parse_address
from transport.links.probe import Outcome, probe_tcp


async def test_a_listening_port_connects() -> None:
    """Somebody is there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        probe = await probe_tcp(Address("127.0.0.1", listener.getsockname()[1]), 1.0)
    assert probe.outcome is Outcome.CONNECTED


async def test_a_look_at_a_server_is_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    """Servers look at each other at every join and failover: counted there, and said to nobody who has not asked."""
    async with Server() as server:
        with caplog.at_level(logging.INFO):
            assert (await probe_tcp(parse_address(server.address), 1.0)).outcome is Outcome.CONNECTED
            await until(lambda: server.dropped("handshake not finished"), "it is counted")

    assert caplog.messages == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_a_port_without_a_listener_refuses(host: str) -> None:
    """The kernel says at once that the process is gone, for every address of the name."""
    assert (await probe_tcp(Address(host, free_port()), 1.0)).outcome is Outcome.REFUSED


async def test_silence_and_unknown_hosts_are_no_evidence() -> None:
    """A full backlog answers nothing, a name without an address says nothing of a process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.socket() as fills_backlog:
            fills_backlog.connect(listener.getsockname())
            probe = await probe_tcp(Address("127.0.0.1", listener.getsockname()[1]), 0.1)
    assert (probe.outcome, probe.text) == (Outcome.FAILED, "no answer within 0.1 s")
    assert (await probe_tcp(Address("no-such-host.invalid", 1), 5.0)).outcome is Outcome.FAILED
