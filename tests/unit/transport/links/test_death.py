"""Evidence of death, and coming back: what the links notice when a peer's process goes, stalls or returns."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time

import pytest

from tests.unit.transport.links.network import Server, free_port, until
from transport.limits import LinkLimits

PEER = """
import sys, zmq
router = zmq.Context().socket(zmq.ROUTER)
router.bind(sys.argv[1])
print("ready", flush=True)
while True:
    router.recv_multipart()
"""


async def _start_peer(address: str) -> asyncio.subprocess.Process:
    """A process that takes frames at an address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PEER, f"tcp://{address}", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def _kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()
    # Closes the pipe now rather than in a later test.
    process._transport.close()  # type: ignore[attr-defined]


async def test_a_killed_process_is_reported_at_once() -> None:
    """After a SIGKILL the refused connection is the evidence; ZeroMQ alone would retry for ever and say nothing."""
    address = f"127.0.0.1:{free_port()}"
    process = await _start_peer(address)
    async with Server() as server:
        await until(lambda: server.tell(address) and server.link(address)["state"] == "up", "the link is up")
        killed_at = time.monotonic()
        await _kill(process)
        await until(lambda: server.dead, "the death is reported")

        assert server.dead == [(address, "connection refused")]
        assert time.monotonic() - killed_at < 1.0
        assert not server.tell(address)
        assert server.links.why_down(address) == "connection refused"


async def test_an_address_nobody_listens_on_is_reported() -> None:
    """Dialling a dead server is evidence too: gossip need not wait for its probe to time out."""
    address = f"127.0.0.1:{free_port()}"
    async with Server() as server:
        assert server.tell(address)
        await until(lambda: server.dead, "the refusal is reported")

        assert server.dead == [(address, "connection refused")]
        assert not server.tell(address)
        assert server.dropped("held too long") == 1


async def test_a_stopped_process_is_not_reported_dead() -> None:
    """A process that does not answer may come back: only heartbeats cut the link, and nothing is claimed."""
    address = f"127.0.0.1:{free_port()}"
    process = await _start_peer(address)
    limits = LinkLimits(heartbeat_ms=100, heartbeat_timeout_ms=300)
    async with Server(limits=limits) as server:
        await until(lambda: server.tell(address) and server.link(address)["state"] == "up", "the link is up")
        process.send_signal(signal.SIGSTOP)
        await until(lambda: server.link(address)["state"] == "down", "the silence is noticed")
        await until(lambda: server.links.why_down(address), "a reason is looked for")
        assert not server.dead

        process.send_signal(signal.SIGCONT)
        await until(lambda: server.link(address)["state"] == "up", "the link comes back by itself")
        assert server.tell(address)
        await _kill(process)


async def test_a_peer_that_comes_back_is_dialled_when_it_is_heard() -> None:
    """A restarted server speaks first; answering it must not wait for ZeroMQ's back-off."""
    limits = LinkLimits(reconnect_ms=60_000, reconnect_max_ms=60_000)
    async with Server("s1", limits=limits) as one:
        bind = f"127.0.0.1:{free_port()}"
        async with Server("s2", bind=bind) as two:
            one.tell(two)
            await until(lambda: two.frames, "the link is up")
        await until(lambda: one.dead, "the end is noticed")
        assert not one.tell(bind)

        async with Server("s2", bind=bind) as two:
            await until(lambda: two.tell(one, b"I am back") and one.frames, "the returned server is heard")
            await until(lambda: two.tell(one) and one.tell(two, b"welcome") and two.frames, "and answered")


async def test_a_cut_link_gives_no_evidence() -> None:
    """Behind a cut a refused connection could not have been seen: the fault hook hides it."""
    address = f"127.0.0.1:{free_port()}"
    process = await _start_peer(address)
    async with Server() as server:
        await until(lambda: server.tell(address) and server.link(address)["state"] == "up", "the link is up")
        server.links.cut(address, inbound=True, outbound=False)
        await _kill(process)
        await until(lambda: server.link(address)["state"] == "down", "the link is down")
        assert not server.links._dialer._probes
        assert not server.dead


async def test_a_port_that_is_no_server_has_a_reason_in_words() -> None:
    """Something listens, but no handshake comes through: said in words, and never as a death."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with Server(limits=LinkLimits(hold_s=0.2)) as server:
            server.tell(address)
            await until(lambda: server.links.why_down(address), "a reason is found")
            assert "no Quorate server" in server.links.why_down(address)
            assert server.no_link == [(address, server.links.why_down(address))]
            await until(lambda: server.link(address)["state"] == "down", "frames are not held for ever")
            assert not server.dead


async def test_a_name_that_is_not_known_is_reported_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for an answer from there can say so, and nobody is thought dead."""

    async def unknown(*_what: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    address = "no-such-host.invalid:1"
    async with Server() as server:
        server.tell(address)
        await until(lambda: server.no_link, "a reason is reported")

        assert server.no_link == [(address, "Name or service not known")]
        assert not server.dead


async def test_closing_leaves_nothing_behind() -> None:
    """Sockets, readers, probes and file descriptors are gone after a close, whatever state the links were in."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with Server("s1") as one, Server("s2") as two:
            one.tell(two)
            one.tell(f"127.0.0.1:{free_port()}")
            await until(lambda: two.frames, "a link is up")
    assert asyncio.all_tasks() == {asyncio.current_task()} or await _tasks_end()
    assert len(os.listdir("/proc/self/fd")) <= before


async def _tasks_end() -> bool:
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "probes end")
    return True
