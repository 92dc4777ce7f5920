"""What a running server is sent: garbage, strangers, other clusters. It says so at a limited rate, and goes on."""

from __future__ import annotations

import random
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
"""What ZMTP 3 peers say first: signature, version, mechanism NULL, filler."""

READY = b"\x04\x26\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
ONE_GB = 1 << 30
MEMORY_MAX = 64 * 1024 * 1024


@contextmanager
def door(server: Server) -> Iterator[socket.socket]:
    """A plain TCP connection to a server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as connection:
        yield connection


def push(connection: socket.socket, data: bytes) -> None:
    """Send what the server may refuse at any byte."""
    with suppress(ConnectionError):
        connection.sendall(data)


def hung_up(connection: socket.socket) -> bool:
    """Whether the server has closed the connection, once everything it said is read."""
    with suppress(ConnectionError):
        while connection.recv(4096):
            pass
    return True


def resident(server: Server) -> int:
    """The memory of a server's process, in bytes."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def server(shared: Cluster) -> Server:
    """A server of a cluster that works, and has to afterwards."""
    return shared.followers()[0]


def works(shared: Cluster, server: Server) -> None:
    """The server still serves, runs as the same process with the same actors, and the cluster agrees."""
    server.put("hostile/still", "works")
    assert server.get("hostile/still") == b"works"
    assert all(row["restarts"] == 0 for row in server.ask("actors.list") if row["name"] in ("links", "gateway", "raft"))
    assert "Traceback" not in server.log_text()
    shared.agree()


def test_random_bytes(shared: Cluster, server: Server, seed: int) -> None:
    """Connections that say anything at all are closed or ignored."""
    rng = random.Random(seed)
    for _ in range(50):
        with door(server) as connection:
            push(connection, rng.randbytes(rng.randint(1, 5_000)))
    works(shared, server)


def test_half_a_frame(shared: Cluster, server: Server) -> None:
    """A frame that is announced and never finished holds up nobody else."""
    with door(server) as connection:
        push(connection, GREETING + READY + b"\x02" + (1_000).to_bytes(8, "big") + b"half")
        works(shared, server)
    with door(server) as connection:
        push(connection, GREETING[:20])
        works(shared, server)


def test_a_frame_of_1_gb(shared: Cluster, server: Server) -> None:
    """A frame announced as 1 GB ends its connection at once; no memory is made for it."""
    before = resident(server)
    with door(server) as connection:
        push(connection, GREETING + READY + b"\x02" + ONE_GB.to_bytes(8, "big"))
        push(connection, b"x" * (1 << 20))
        assert hung_up(connection)
    assert resident(server) - before < MEMORY_MAX
    works(shared, server)


def test_frames_that_are_none_of_ours(shared: Cluster, server: Server, seed: int) -> None:
    """Well-formed ZeroMQ with nonsense in it is counted and dropped."""
    rng = random.Random(seed)
    with door(server) as connection:
        push(connection, GREETING + READY)
        for _ in range(200):
            body = rng.randbytes(rng.randint(0, 200))
            push(connection, b"\x00" + bytes([len(body)]) + body)
        server.wait_log("dropped")
    works(shared, server)


def test_http_on_the_servers_port(shared: Cluster, server: Server) -> None:
    """A browser at the wrong port gets nothing, and does no harm."""
    with door(server) as connection:
        push(connection, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    works(shared, server)


def test_a_client_at_a_port_that_is_no_quorate(shared: Cluster) -> None:
    """`--address` of a server's HTTP port, or of some program: exit code 3 and what it may be."""
    server = shared.servers[0]
    host, _, port = server.http.rpartition(":")
    with socket.create_server(("127.0.0.1", shared.port(8))):
        for address in (f"{host}:{port}", f"127.0.0.1:{shared.port(8)}"):
            outcome = run("status", "--timeout", "1", "--address", address)
            assert outcome.code == 3
            assert address in outcome.error
    works(shared, server)


def test_a_peer_of_another_cluster(cluster: Cluster) -> None:
    """Two clusters never merge: a server that has one is refused by the other, is told so, and goes on alone."""
    one, other = cluster.add(), cluster.add()
    other.options = ()
    one.start()
    other.start()
    cluster.agree([one])
    cluster.agree([other])
    other.stop()
    other.options = ("--peer", one.address)

    other.start()

    other.wait_log(f"{one.address} refused this server: .*two clusters never merge")
    other.put("k", "in its own")
    assert one.get("k") is None
    assert [row["name"] for row in one.ask("members")] == ["s0"]
