"""What keeps a server from starting: one clear line that says what failed and what to try, and the right exit code."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def ends(server: Server, code: int, *words: str) -> None:
    """Start a server that cannot start: it ends with this code, and one line of error has all these words."""
    server.start()
    assert server.wait_exit() == code, server.log_text()
    text = server.log_text()
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith(("error: ", "Error: "))]
    assert len(lines) == 1, text
    for word in words:
        assert word in lines[0]


def test_a_port_that_is_taken_by_a_server(cluster: Cluster) -> None:
    """The second server on an address says that it is in use, and the first one goes on."""
    first = cluster.add()
    first.start()
    cluster.agree()
    second = Server(cluster.folder, "second", first.port)

    ends(second, 1, first.address, "in use", "--bind")

    assert first.cli("kv", "put", "k", "v").code == 0


def test_a_port_that_is_taken_by_another_program(cluster: Cluster) -> None:
    """So does one whose HTTP port, or whose own, a stranger has."""
    for offset, option in ((0, "--bind"), (1, "--http")):
        server = Server(cluster.folder, f"server-{offset}", cluster.port(offset))
        cluster.servers.append(server)
        with socket.socket() as stranger:
            # Connections of an earlier story's server there may not have been forgotten yet.
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", server.port + offset))
            stranger.listen()
            ends(server, 1, str(server.port + offset), "in use", option)
        server.start()
        cluster.agree([server])


def test_a_data_directory_in_use(cluster: Cluster) -> None:
    """Two processes never share one: the second says who has it."""
    first = cluster.add()
    first.start()
    cluster.agree()
    second = Server(cluster.folder, "second", cluster.port(1))
    second.data_dir = first.data_dir

    ends(second, 1, str(first.data_dir), "in use")

    assert first.cli("kv", "put", "k", "v").code == 0


@pytest.mark.parametrize("place", ["under a file", "a file", "read only"])
def test_a_data_directory_that_cannot_be_written(cluster: Cluster, place: str) -> None:
    """Tests may run as root, whom permissions do not stop; these places stop everybody."""
    server = Server(cluster.folder, "server", cluster.port(0))
    blocker = cluster.folder / "file"
    blocker.write_text("not a directory")
    server.data_dir = {"under a file": blocker / "data", "a file": blocker, "read only": Path("/proc/quorate")}[place]

    ends(server, 2 if place == "a file" else 1, str(server.data_dir))


@pytest.mark.parametrize("damage", ["garbage", "empty", "a flipped page"])
def test_a_corrupt_raft_db(cluster: Cluster, damage: str) -> None:
    """It is named, with the way out, at every start; the way out works."""
    cluster.form(3)
    server = cluster.followers()[0]
    for number in range(20):
        server.put(f"k{number}", "v" * 1_000)
    assert server.stop() == 0
    file = server.data_dir / "raft.db"
    content = bytearray(file.read_bytes())
    if damage == "garbage":
        content = bytearray(b"this is no database. " * 1_000)
    elif damage == "empty":
        content = bytearray()
    else:
        for at in range(len(content) // 2, len(content) // 2 + 64):
            content[at] ^= 0xFF
    file.write_bytes(content)
    for name in ("raft.db-wal", "raft.db-shm"):
        (server.data_dir / name).unlink(missing_ok=True)

    ends(server, 1, str(file), "move the directory")

    server.log.unlink()
    ends(server, 1, str(file), "move the directory")
    server.data_dir.rename(server.data_dir.with_suffix(".away"))
    if server is cluster.servers[0]:
        server.options = ("--peer", cluster.servers[1].address)
    server.log.unlink()
    server.start()
    cluster.agree()
    assert set(cluster.same_state()) == {f"k{number}" for number in range(20)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("start", "--unknown"), ("--unknown",)),
        (("start", "--bindd", "127.0.0.1:1"), ("--bindd", "--bind")),
        (("stert",), ("stert", "start")),
        (("start", "--bind", "127.0.0.1"), ("--bind", "127.0.0.1")),
        (("start", "--bind", "127.0.0.1:99999"), ("--bind", "99999")),
        (("start", "--bind", "127.0.0.1:port"), ("--bind", "port")),
        (("start", "--peer", "nonsense"), ("--peer", "nonsense")),
        (("start", "--profile", "fast"), ("--profile", "fast")),
        (("start", "--tag", "novalue"), ("novalue", "KEY=VALUE")),
        (("start", "--max-voters", "0"), ("--max-voters", "0")),
        (("start", "--config", "/nonexistent.toml"), ("/nonexistent.toml",)),
        (("status", "--address", "nowhere"), ("nowhere",)),
        (("kv", "put", "only-a-key"), ("VALUE",)),
    ],
    ids=" ".join,
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Exit code 2, and a line that names what was wrong."""
    data_dir = ["--data-dir", str(tmp_path / "data")] if arguments[0] == "start" else []
    outcome = run(*arguments, *data_dir)

    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    last = outcome.err.strip().splitlines()[-1]
    for word in words:
        assert word in last
    assert not (tmp_path / "data").exists()


def test_a_wide_address_needs_a_key(cluster: Cluster) -> None:
    """Listening beyond this machine without a key, or HTTP there at all, is refused with the way to do it."""
    wide = f"0.0.0.0:{cluster.port(0)}"
    data_dir = cluster.folder / "data"
    server = run("start", "--bind", wide, "--advertise", "192.0.2.1:7946", "--data-dir", str(data_dir))
    assert server.code == 2
    assert wide in server.error
    assert "--key" in server.error
    http = run("start", "--http", wide, "--data-dir", str(data_dir))
    assert http.code == 2
    assert wide in http.error
    assert "--insecure" in http.error
    assert not data_dir.exists()


@pytest.mark.parametrize("content", ["", "not a key", "[cluster]\npublic = 'x'\n"])
def test_a_key_file_that_is_none(cluster: Cluster, tmp_path: Path, content: str) -> None:
    """It is named, and so is what to do."""
    key = tmp_path / "bad.key"
    key.write_text(content)
    key.chmod(0o600)
    server = Server(cluster.folder, "server", cluster.port(0), key=key)

    ends(server, 2, str(key))


def test_no_server_there(cluster: Cluster) -> None:
    """Every client command ends with 3 and says how to find or start a server."""
    address = f"127.0.0.1:{cluster.port(0)}"
    for command in (["status"], ["members"], ["kv", "get", "k"], ["raft", "peers"], ["leave"], ["actors", "list"]):
        outcome = run(*command, "--address", address)
        assert outcome.code == 3
        assert address in outcome.error
        assert "start" in outcome.error
    for command in (["kv", "watch", "k"], ["lock", "l"], ["backup", "-"]):
        # These wait for a server to come.
        outcome = run(*command, "--address", address, "--timeout", "0.2")
        assert outcome.code == 3
        assert f"no server at {address} (connection refused): start one" in outcome.error


def test_a_peer_that_is_the_server_itself(cluster: Cluster) -> None:
    """It would wait for ever; a server that has a cluster already may name itself, as every line of a fleet may."""
    server = cluster.add()
    alone = server.options
    server.options = ("--peer", server.address)
    ends(server, 2, server.address, "--peer")

    server.options = alone
    server.start()
    cluster.agree()
    assert server.stop() == 0
    server.options = ("--peer", server.address)
    server.start()
    cluster.agree()
