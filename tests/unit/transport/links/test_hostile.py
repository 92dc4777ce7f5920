"""Garbage on a server's port: whatever it is, the server counts it, keeps its memory, and keeps serving."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.unit.transport.links.network import RawPeer, Server, header, port_of, request, until
from transport import keys
from transport.limits import LinkLimits
from transport.links.listener import Arrival
from transport.wire import pack

SEED = 20_261_123

# ZMTP 3.0 (RFC 23): a NULL greeting, and a READY command of a DEALER.
GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" * 32
READY_BODY = b"\x05READY" + b"\x0bSocket-Type" + b"\0\0\0\x06DEALER"
READY = b"\x04" + bytes([len(READY_BODY)]) + READY_BODY
LARGE_FRAME = b"\x02" + (1 << 30).to_bytes(8, "big")


def _random(length: int) -> bytes:
    return random.Random(SEED + length).randbytes(length)


@pytest.fixture
def rss_growth_max_kib() -> Iterator[int]:
    """Fails the test when the process has grown by more than this."""
    limit = 64 * 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield limit
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < limit, f"grew by {grown} KiB"


async def _throw(address: str, data: bytes, *, then_wait: bool) -> None:
    """Throw bytes at a port; `then_wait` for the server to hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(address))
    with suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
        if then_wait:
            while await reader.read(65_536):
                pass
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _serves(server: Server) -> None:
    """The server still answers a client and hears another server."""
    heard = len(server.frames)
    with RawPeer(server.address) as client:
        client.send(request(b"still there?"))
        await until(lambda: len(server.frames) > heard, "the server still serves")
    async with Server("s2") as other:
        assert other.tell(server, b"you too?")
        await until(lambda: b"you too?" in server.bodies, "the server still hears servers")


@pytest.mark.parametrize(
    ("data", "hangs_up"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", False),
        (_random(10), False),
        (_random(100_000), True),
        (b"\0" * 100_000, True),
        (b"\xff" * 100_000, True),
        (GREETING[:20], False),
        (GREETING + READY[:5], False),
        (GREETING + READY + b"\x00\x40half", False),
        (GREETING + READY + LARGE_FRAME + b"x" * 1_000, True),
        (GREETING + READY + b"\x02" + b"\xff" * 8, True),
        (GREETING + READY + _random(1_000), False),
        (GREETING + b"\x06" + (1 << 30).to_bytes(8, "big"), True),
    ],
    ids=[
        "nothing",
        "http",
        "few-random-bytes",
        "random-bytes",
        "zeros",
        "ones",
        "half-a-greeting",
        "half-a-handshake",
        "half-a-frame",
        "1-GB-frame",
        "16-EB-frame",
        "random-frames",
        "1-GB-command",
    ],
)
async def test_bytes_that_are_no_peer(data: bytes, hangs_up: bool, rss_growth_max_kib: int) -> None:
    """Below the frame: libzmq hangs up on what it can tell, and the server keeps serving."""
    limits = LinkLimits(handshake_ms=200)  # half a handshake is hung up on, too
    async with Server(limits=limits) as server:
        for _ in range(3):
            await _throw(server.address, data, then_wait=hangs_up)
        await _serves(server)


@pytest.fixture
def full() -> Iterator[Callable[[], None]]:
    """Takes all file descriptors; they are given back in the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def fill() -> None:
        taken.append(os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 20, hard))
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))

    yield fill
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for descriptor in taken:
        os.close(descriptor)


async def test_a_server_that_can_accept_nobody_ends(full: Callable[[], None]) -> None:
    """libzmq tries to accept again and again, and waits for whoever reads that it failed, with a lock in its hand.

    It may fail as fast as that is read: reading must not keep the loop from everything else.
    """
    with socket.socket() as client:
        async with Server() as server:
            full()
            client.connect(("127.0.0.1", port_of(server.address)))
            await until(lambda: server.dropped("connection not accepted"), "it fails to accept")
            assert server.dropped("connection not accepted") < 10_000
            time.sleep(0.1)  # nobody reads meanwhile  # noqa: ASYNC251


async def test_frames_that_are_no_frames(rss_growth_max_kib: int) -> None:
    """Above the handshake: every frame that is not ours is counted, and none reaches an actor."""
    good = pack(header(), b"x")
    rng = random.Random(SEED)
    garbage = [b"", b"\0", good[:1], good[:30], b"\xff\xff" + b"x" * 100, *(rng.randbytes(n) for n in range(1, 200))]
    async with Server() as server:
        with RawPeer(server.address) as peer:
            for frame in garbage:
                peer.send(frame)
            await until(
                lambda: server.dropped("bad frame") + server.dropped("other version") == len(garbage),
                f"all is counted (seed {SEED})",
            )
        assert not server.frames
        await _serves(server)


async def test_messages_of_several_parts_do_not_shift_the_next() -> None:
    """A frame is one part; the parts of a longer message must never be taken for the start of the next one."""
    async with Server() as server:
        with RawPeer(server.address) as peer:
            peer.send(request(b"1"), request(b"2"))
            peer.send(b"", request(b"3"), b"")
            peer.send(*[b"x"] * 1_000)
            peer.send(request(b"fine"))
            await until(lambda: server.frames, "the good one arrives")
        assert server.bodies == [b"fine"]
        assert server.dropped("bad frame") == 3


async def test_a_frame_above_the_limit_costs_its_sender_the_connection() -> None:
    """What a peer is allowed to make us read is bounded; others do not notice."""
    async with Server(limits=LinkLimits(frame_bytes_max=10_000)) as server:
        with RawPeer(server.address) as peer:
            peer.send(request(b"x" * 20_000))
            await _serves(server)
            assert all(len(body) < 10_000 for body in server.bodies)


async def test_a_receiver_that_raises_does_not_stop_the_link(caplog: pytest.LogCaptureFixture) -> None:
    """A frame nobody can take is logged with its kind; the next one is delivered."""
    async with Server("s1") as one, Server("s2") as two:
        seen: list[bytes] = []

        def take(arrived: list[Arrival]) -> None:
            seen.extend(body for _, _, body, _ in arrived)
            raise RuntimeError("no")

        (listener,) = two.links._entrance._listeners.values()
        listener._on_frames = take
        one.tell(two, b"1")
        one.tell(two, b"2")
        await until(lambda: seen == [b"1", b"2"], "both are handed over")
    assert "the first a 'test.note', failed" in caplog.text


async def test_the_log_is_not_flooded(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand bad frames are one line, with the count in the next."""
    async with Server(clock=lambda: 0.0) as server:
        with RawPeer(server.address) as peer:
            for _ in range(1_000):
                peer.send(b"garbage")
            await until(lambda: server.dropped("bad frame") == 1_000, "all are counted")
    assert caplog.text.count("bad frame") == 1


async def test_garbage_on_a_port_with_a_key(rss_growth_max_kib: int) -> None:
    """With a key nothing but a handshake is even read."""
    key = keys.parse(keys.generate().encode(), "generated")
    async with Server("s1", key=key, limits=LinkLimits(handshake_ms=200)) as server, Server("s2", key=key) as other:
        for data in (_random(50_000), GREETING + READY + LARGE_FRAME, GREETING.replace(b"NULL\0", b"CURVE") + READY):
            await _throw(server.address, data, then_wait=True)
        assert other.tell(server, b"fine")
        await until(lambda: server.frames, "the server still serves")
        # Bytes that pass for ZMTP 1.0 are hung up on by libzmq without an event.
        assert server.dropped("handshake failed") == 2
