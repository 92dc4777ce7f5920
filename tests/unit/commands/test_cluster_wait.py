"""What `cluster up` and `cluster status` say of servers that run and do not answer."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from commands.cluster import show
from commands.cluster_wait import Look, wait_until_they_agree
from commands.local_cluster import HOST, LocalCluster, LocalClusterError
from commands.server_process import identify
from tests.unit.client.servers import FakeServer, ok
from transport import keys
from transport.client.errors import TurnedAway


def cluster_at(port: int, folder: Path) -> LocalCluster:
    """A cluster whose only server is this process."""
    process = identify(os.getpid())
    assert process is not None
    server = {"index": 0, "port": port, "process": {"pid": process.pid, "started": process.started}}
    (folder / "cluster.json").write_text(json.dumps({"settings": {"base_port": port}, "servers": [server]}))
    return LocalCluster(folder).read()


@pytest.fixture
def silent(tmp_path: Path) -> LocalCluster:
    """A cluster whose only server listens nowhere."""
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        port = closed.getsockname()[1]
    return cluster_at(port, tmp_path)


def test_why_no_server_answers_is_said(silent: LocalCluster) -> None:
    """Not only how many do."""
    with pytest.raises(LocalClusterError) as caught:
        wait_until_they_agree(silent, Look(None), 1, 0.01)

    said = str(caught.value)
    assert f"0 of 1 server answer (server-0: no server at {silent.servers[0].address} (connection refused)" in said


def test_a_wrong_key_is_not_waited_with(tmp_path: Path) -> None:
    """No time cures it: what is wrong and the way out are said at once, with the exit code of other commands."""
    key = keys.parse(keys.generate().encode(), "old")
    with FakeServer(lambda request: ok(request, {})) as server, pytest.raises(TurnedAway) as caught:
        wait_until_they_agree(cluster_at(server.port, tmp_path), Look(key), 1, 5.0)

    assert str(caught.value).startswith(f"server-0: {server.address} turned the connection away: the key ")
    assert str(caught.value).endswith("; try 'cluster down', then 'cluster up 1 --key FILE' with the servers' key")
    assert caught.value.exit_code == 3


def test_the_table_says_why_a_server_that_runs_has_no_role(
    silent: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that the table is what it was."""
    show(silent, Look(None), "table")

    out, err = capsys.readouterr()
    assert "server-0" in out
    assert err.startswith(f"server-0 does not answer: no server at {silent.servers[0].address} (connection refused)")
