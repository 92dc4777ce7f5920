"""What surrounds the process of a server: its terminal, its stdout, its open files."""

from __future__ import annotations

import resource
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

FILES = 512


@contextmanager
def run_by_shell(server: Server, before: str, after: str = "") -> Iterator[subprocess.Popen[str]]:
    """A server whose process a line of shell begins, and is."""
    line = f"{before}; exec {shlex.join([*PROGRAM, *server.command])} {after}"
    with subprocess.Popen(["sh", "-c", line], env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_server_outlives_a_full_disk_behind_its_stdout_and_ends_with_its_terminal(cluster: Cluster) -> None:
    """It may have as many files open as the system allows; SIGHUP ends it in order."""
    server = cluster.add()
    with run_by_shell(server, f"ulimit -Sn {FILES}", ">/dev/full") as process:
        wait_until("it serves", lambda: server.cli("kv", "put", "k", "v").code == 0)
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert soft in (hard, 65_536)

        process.send_signal(signal.SIGHUP)
        _, said = process.communicate()

    assert process.returncode == 0
    assert "cannot print where this server is to be found: No space left on device" in said
    assert "Traceback" not in said


def test_a_server_under_nohup_outlives_its_terminal(cluster: Cluster) -> None:
    """A signal that was to be ignored still is."""
    server = cluster.add()
    with run_by_shell(server, "trap '' HUP") as process:
        wait_until("it serves", lambda: server.cli("kv", "put", "k", "v").code == 0)

        process.send_signal(signal.SIGHUP)

        assert server.cli("kv", "get", "k").code == 0
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def test_too_few_open_files_are_said_at_once(cluster: Cluster) -> None:
    """One line, with what to try."""
    with run_by_shell(cluster.add(), "ulimit -n 64") as process:
        _, said = process.communicate()

    assert process.returncode == 1
    assert said == "error: this process may have 64 files open and a server needs 256: raise its limit (ulimit -n)\n"
