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


@pytest.fixture
def silent(tmp_path: Path) -> LocalCluster:
    """A cluster with a key whose only server is this process, which listens nowhere."""
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        port = closed.getsockname()[1]
    process = identify(os.getpid())
    assert process is not None
    server = {"index": 0, "port": port, "process": {"pid": process.pid, "started": process.started}}
    recorded = {"settings": {"base_port": port, "key": "old.key"}, "servers": [server]}
    (tmp_path / "cluster.json").write_text(json.dumps(recorded))
    return LocalCluster(tmp_path).read()


def test_why_no_server_answers_is_said(silent: LocalCluster) -> None:
    """Not only how many do: the reason, and the way out when the key on record is an old one."""
    with pytest.raises(LocalClusterError) as caught:
        wait_until_they_agree(silent, Look(None), 1, 0.01)

    said = str(caught.value)
    assert f"0 of 1 server answer (server-0: no server at {silent.servers[0].address} (connection refused)" in said
    assert "if the key was rotated: 'cluster down', then 'cluster up 1 --key FILE' with the new key)" in said


def test_the_table_says_why_a_server_that_runs_has_no_role(
    silent: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that the table is what it was."""
    show(silent, Look(None), "table")

    out, err = capsys.readouterr()
    assert "server-0" in out
    assert err.startswith(f"server-0 does not answer: no server at {silent.servers[0].address} (connection refused)")
