"""What a local cluster refuses before it starts a single process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.local_cluster import (
    HOST,
    LocalCluster,
    LocalClusterError,
    LocalServer,
    PortTakenError,
    Settings,
    last_lines,
)
from commands.server_process import identify


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port somebody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_ports_follow_from_the_base_port() -> None:
    """Server i has P + 10·i, HTTP one above, the console's three ports above that."""
    server = LocalServer(index=2, port=7946 + 20)

    assert (server.address, server.http, server.monitor_port) == ("127.0.0.1:7966", "127.0.0.1:7967", 7968)


def test_a_taken_port_is_named_and_nothing_starts(tmp_path: Path, taken_port: int) -> None:
    """One clear line, no process and no record that would stand in the way of another try."""
    with LocalCluster(tmp_path).locked(create=True) as cluster:
        with pytest.raises(PortTakenError, match=rf"{HOST}:{taken_port}, which server-0 needs.*--base-port"):
            cluster.up(3, Settings(base_port=taken_port))

        assert cluster.servers == []
    assert not (tmp_path / "cluster.json").exists()


def test_a_folder_without_a_cluster_is_named(tmp_path: Path) -> None:
    """`cluster down` in the wrong place says where it looked."""
    with pytest.raises(LocalClusterError, match=str(tmp_path)):
        LocalCluster(tmp_path).read()


@pytest.mark.parametrize("folder", ["/proc/nothing", "/dev/null", "/dev/null/cluster"])
def test_a_folder_that_cannot_be_used_is_named(folder: str) -> None:
    """One line instead of a traceback."""
    with (
        pytest.raises(LocalClusterError, match=f"cannot use the folder {folder}: .*--data-dir"),
        LocalCluster(Path(folder)).locked(create=True),
    ):
        pass


def test_two_commands_do_not_change_a_cluster_at_once(tmp_path: Path) -> None:
    """The second one is told, and does not wait."""
    with (
        LocalCluster(tmp_path).locked(create=True),
        pytest.raises(LocalClusterError, match="another command"),
        LocalCluster(tmp_path).locked(create=True),
    ):
        pass


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    """A record that cannot be read is never taken for no record: servers may run that nobody would find again."""
    (tmp_path / "cluster.json").write_text("{}")

    with pytest.raises(LocalClusterError, match=r"cluster\.json"):
        LocalCluster(tmp_path).read()


def test_too_many_servers_for_the_ports(tmp_path: Path) -> None:
    """Ports end at 65535, and the error says so instead of a later traceback."""
    with (
        LocalCluster(tmp_path).locked(create=True) as cluster,
        pytest.raises(LocalClusterError, match="lower --base-port"),
    ):
        cluster.up(3, Settings(base_port=65_530))


def test_what_an_earlier_run_logged_is_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second `cluster up` that fails shows why this time: the log goes on where the first run ended."""
    log = tmp_path / "server-0.log"
    log.write_text("of the first run\n")

    def speak(*_: object) -> object:
        with log.open("a") as file:
            file.write("one\ntwo\nthree\n")
        return identify(os.getpid())

    monkeypatch.setattr("commands.local_cluster.spawn_server", speak)
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    with LocalCluster(tmp_path).locked(create=True) as cluster:
        cluster.up(1, Settings(base_port=port))
    (server,) = LocalCluster(tmp_path).read().servers

    assert last_lines(log, server.log_from) == "one\ntwo\nthree"
    assert last_lines(log, server.log_from, 2) == "two\nthree"
    assert last_lines(tmp_path / "none.log", 0) == ""


def test_every_server_is_started_with_the_same_options() -> None:
    """What is not chosen is left to `start`."""
    assert Settings().arguments() == ["--max-voters", "5", "--log-level", "info"]
    assert Settings(app="own:Counter", key="k", max_voters=3).arguments() == [
        *("--max-voters", "3", "--log-level", "info", "--key", "k", "--app", "own:Counter")
    ]
