"""`cluster`, used as a person would: real processes, one after the other command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from storage.kv_protocol import put
from tests.ports import free_ports
from tests.unit.project.sources import ROOT
from transport.client.errors import OutcomeUnknown
from transport.client.sync_client import SyncClient

pytestmark = pytest.mark.cluster

COMMAND_TIMEOUT_S = 60
PORTS = 25


class Tool:
    """The command in one folder, from one base port on."""

    def __init__(self, folder: Path, program: tuple[str, ...]) -> None:
        self.folder = folder
        self.base_port = free_ports(PORTS)
        self._program = program

    def run(self, *arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it, and check its exit code."""
        command, *rest = arguments
        done = subprocess.run(
            [sys.executable, *self._program, command, *rest, "--data-dir", str(self.folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == expected, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def up(self, count: int) -> list[dict[str, Any]]:
        """Start servers; the rows of the table."""
        done = self.run("up", str(count), "--base-port", str(self.base_port), "--format", "json")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def status(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        rows: list[dict[str, Any]] = json.loads(self.run("status", "--format", "json").stdout)
        return rows


@pytest.fixture(params=[("cli.py", "cluster"), ("scripts/local_cluster.py",)], ids=["cli", "script"])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tool]:
    """The command, and the script that is the same."""
    tool = Tool(tmp_path / "cluster", request.param)
    yield tool
    if (tool.folder / "cluster.json").exists():
        tool.run("down")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Tool]:
    """The command alone."""
    tool = Tool(tmp_path / "cluster", ("cli.py", "cluster"))
    yield tool
    if (tool.folder / "cluster.json").exists():
        tool.run("down")


def states(rows: list[dict[str, Any]]) -> list[str]:
    """What the processes do."""
    return [row["state"] for row in rows]


def test_servers_outlive_the_command_and_end_with_down(tool: Tool) -> None:
    """`up` returns when all agree and leaves the servers running in sessions of their own; `down` ends them all."""
    rows = tool.up(3)

    assert states(rows) == ["running"] * 3
    assert sorted(row["role"] for row in rows) == ["follower", "follower", "leader"]
    assert [row["address"] for row in rows] == [f"127.0.0.1:{tool.base_port + 10 * index}" for index in range(3)]
    assert all(os.getsid(row["pid"]) == row["pid"] for row in rows)

    tool.run("down")

    assert states(tool.status()) == ["stopped"] * 3


def test_down_stops_exactly_its_own(cli: Tool, tmp_path: Path) -> None:
    """Another local cluster goes on when this one is stopped."""
    other = Tool(tmp_path / "other", ("cli.py", "cluster"))
    cli.up(1)
    other.up(1)
    try:
        cli.run("down")

        assert states(other.status()) == ["running"]
    finally:
        other.run("down")


def test_a_killed_server_is_started_again(cli: Tool) -> None:
    """`kill` ends one server, the others go on, and a second `up` brings it back with its data."""
    cli.up(3)
    cli.run("kill", "0")
    assert states(cli.status()) == ["stopped", "running", "running"]

    rows = cli.up(3)

    assert states(rows) == ["running"] * 3
    assert len({(row["leader"], row["term"]) for row in rows}) == 1


def test_a_paused_server_is_there_and_silent(cli: Tool) -> None:
    """`pause` and `resume` take a number or a name."""
    cli.up(1)
    cli.run("pause", "server-0")
    (row,) = cli.status()
    assert (row["state"], row["role"]) == ("paused", None)

    cli.run("resume", "0")

    (row,) = cli.status()
    assert (row["state"], row["role"]) == ("running", "leader")


@pytest.mark.long
def test_a_cut_off_leader_is_replaced_and_follows_when_healed(cli: Tool) -> None:
    """`partition` cuts real links: the majority elects another leader, and `heal` brings the old one back."""
    rows = cli.up(3)
    leader = next(row["index"] for row in rows if row["role"] == "leader")
    others = [str(row["index"]) for row in rows if row["index"] != leader]
    cli.run("partition", f"{leader},{'+'.join(others)}")
    with SyncClient(rows[int(others[0])]["address"]) as client:
        while True:
            # The first may have been handed to the old leader, whose answer cannot come through.
            with suppress(OutcomeUnknown):
                client.propose(put("key", b"value"))
                break

    cli.run("heal")
    rows = cli.up(3)

    assert rows[leader]["role"] == "follower"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("kill", "7"), 1, "no server '7'"),
        (("partition", "0,0"), 2, "write A,B"),
        (("partition", "0"), 2, "write A,B"),
        (("resume", "nobody"), 1, "no server 'nobody'"),
    ],
)
def test_a_slip_of_the_fingers_is_one_clear_line(cli: Tool, arguments: tuple[str, ...], code: int, words: str) -> None:
    """Wrong servers and sides are named, and nothing is done."""
    cli.up(1)

    assert words in cli.run(*arguments, expected=code).stderr


def test_there_is_nothing_to_stop_where_nothing_was_started(cli: Tool) -> None:
    """The folder is named, and the exit code is 1."""
    assert str(cli.folder) in cli.run("down", expected=1).stderr


def test_a_server_that_cannot_start_shows_why(cli: Tool) -> None:
    """`up` ends with the words of the server's own log."""
    folder = cli.folder / "server-0"
    folder.parent.mkdir()
    folder.write_text("in the way of the data directory")

    done = cli.run("up", "1", "--base-port", str(cli.base_port), expected=1)

    assert "server-0 ended" in done.stderr
    assert "is a file" in done.stderr
