"""What an operator sees and sets on live servers: round trips, tags, a log and the members as they change, info.

Held as users of Serf know them (serf rtt, tags, monitor, members, info), and what is better here: tags that stand after
a restart, and `members --why`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment
from tests.support.server import Server
from tests.support.waiting import wait_until

CHANGED = {"role": "db", "zone": "a"}

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


class Following:
    """A command that goes on, its output in files."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def out(self) -> str:
        """Its whole lines so far."""
        return (self._folder / "out").read_text().rpartition("\n")[0]

    @property
    def err(self) -> str:
        """What it has to say."""
        return (self._folder / "err").read_text()

    def changes(self) -> list[tuple[str, str, str]]:
        """(change, name, status) of each line of `members --watch --format jsonl`."""
        rows = [json.loads(line) for line in self.out.splitlines()]
        return [(row["change"], row["name"], row["status"]) for row in rows]


@contextmanager
def following(folder: Path, server: Server, *command: str) -> Iterator[Following]:
    """Run a command that follows a server."""
    folder.mkdir()
    arguments = [*PROGRAM, *command, "--address", server.address]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment())
    try:
        yield Following(process, folder)
    finally:
        process.kill()
        process.wait()


def tags(cluster: Cluster, name: str) -> list[Any]:
    """A member's tags, as each server sees them."""
    return [row["tags"] for server in cluster.servers for row in server.ask("members") if row["name"] == name]


def test_views_of_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """Round trips are known, tags are seen by all and stand after a restart, and who follows is told of everything."""
    one = cluster.add("--tag", "role=web", "--log-level", "warning")
    two, three = cluster.add(), cluster.add()
    for server in cluster.servers:
        server.start()
    cluster.agree()

    def is_measured() -> bool:
        return one.cli("rtt", three.name, two.name).code == 0

    wait_until("s0 has measured both", is_measured)
    line = one.cli("rtt", three.name).out
    assert line.startswith("Estimated s2 <-> s0 rtt: ")
    assert line.endswith(" ms\n")
    assert 0 < one.cli("rtt", three.name, two.name, "--format", "json").json["rtt_ms"] < 1000
    unknown = one.cli("rtt", "nobody")
    assert (unknown.code, unknown.error) == (1, "error: no member is called 'nobody'; 'members' lists them")
    unasked = one.cli("query", "load", "--node", "nobody")
    assert (unasked.code, unasked.error) == (unknown.code, unknown.error)

    with (
        following(tmp_path / "watch", two, "members", "--watch", "--format", "jsonl") as watch,
        following(tmp_path / "log", one, "monitor", "--log-level", "debug") as log,
    ):
        wait_until("the watch has begun", lambda: len(watch.changes()) == 3)
        assert one.cli("tags", "set", "role=db", "zone=a").out == "s0 has role=db,zone=a\n"
        wait_until("all see the tags", lambda: tags(cluster, "s0") == [CHANGED] * 3)
        assert [row["name"] for row in three.cli("members", "--tag", "role=d.", "--format", "json").json] == ["s0"]
        refused = one.cli("tags", "set", f"note={'x' * 600}")
        assert refused.code == 1
        assert "at most 512 are allowed; nothing was changed" in refused.error
        # Finer than the server's own level, which its stderr keeps to.
        wait_until("the log is followed", lambda: "DEBUG   quorate.gateway: tags: " in log.out)
        assert "DEBUG" not in one.log_text()
        # Its gateway begins anew: the monitor goes on.
        assert one.cli("actors", "kill", "gateway@1").code == 0
        wait_until("the gateway is back", lambda: one.actor("gateway")["incarnation"] == 2)
        assert one.cli("info").code == 0
        wait_until("the log is still followed", lambda: "quorate.gateway: info: ok" in log.out)

        one.kill()
        wait_until("the monitor ends", lambda: log.process.poll() is not None)
        assert log.process.returncode == 3
        assert log.err.splitlines()[-1].startswith(f"error: the server at {one.address} went away")
        wait_until("the watch tells", lambda: ("status", "s0", "failed") in watch.changes())
        one.start()
        cluster.agree()
        wait_until("the watch tells", lambda: ("status", "s0", "alive") in watch.changes())

    wait_until("the tags are back", lambda: tags(cluster, "s0") == [CHANGED] * 3)
    why = two.cli("members", "--why", "s0").out
    assert "accused" in why
    assert "connection refused" in why
    detailed = two.cli("members", "--detailed").out.splitlines()
    assert detailed[0].split() == ["NAME", "ADDRESS", "STATUS", "FOR", "ROLE", "RTT", "INCARNATION", "ID", "TAGS"]
    info = one.cli("info", "--format", "json").json
    assert (info["agent"]["name"], info["gossip"]["members"], info["gossip"]["failed"]) == ("s0", 3, 0)
    assert info["tags"] == CHANGED
    assert "gossip:\n" in one.cli("info").out
