"""Events and queries on three live servers, by the command line, with handlers that really run."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def test_events_queries_and_who_can_be_reached(cluster: Cluster, tmp_path: Path) -> None:
    """A watcher sees what was sent elsewhere; handlers hear and answer; a stopped server is named by reachability."""
    heard = tmp_path / "heard"
    cluster.add("--tag", "role=db", "--event-handler", f"user:deploy=sh -c 'echo $QUORATE_USER_EVENT `cat` >> {heard}'")
    cluster.add("--event-handler", "query:load=sh -c 'echo load of $QUORATE_SELF_NAME for `cat`'")
    cluster.add()
    for server in cluster.servers:
        server.start()
    cluster.agree()
    first, second, third = cluster.servers
    seen = tmp_path / "seen"
    with seen.open("wb") as output:
        command = [*PROGRAM, "event", "watch", "--recent", "--format", "jsonl", "--address", third.address]
        watcher = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, env=environment())
    try:
        assert second.cli("event", "send", "deploy", "v2", "--no-coalesce").code == 0
        wait_until("the handler has heard of it", lambda: heard.exists() and heard.read_text() == "deploy v2\n")
        wait_until("the watcher has seen it", lambda: '"deploy"' in seen.read_text())
        rows = [json.loads(line) for line in seen.read_text().splitlines()]
        joined = {row["member"]["name"] for row in rows if row["event"] == "member-join"}
        assert joined == {"s0", "s1", "s2"}
        assert rows[-1]["payload"] == "v2"

        report = first.cli("query", "load", "now", "--format", "json").json
        assert report["acks"] == ["s0", "s1", "s2"]
        assert report["responses"] == [{"from": "s1", "error": "", "payload": "load of s1 for now"}]
        assert first.cli("query", "load", "--tag", "role=d.*", "--format", "json").json["expected"] == ["s0"]

        assert first.cli("reachability").code == 0
        second.pause()
        silent = first.cli("reachability")
        second.resume()
        assert (silent.code, silent.error) == (1, "error: 2 members of 3 acknowledged; missing: s1")

        third.signal(signal.SIGTERM)
        _, said = watcher.communicate(timeout=20)
        assert watcher.returncode == 3
        assert b"went away" in said
    finally:
        watcher.kill()
        watcher.wait()
