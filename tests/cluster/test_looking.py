"""What people look with: `top` on a terminal, and the bundle that a bug report takes along."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import tarfile
import time
import tomllib
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment, run

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

DEADLINE_S = 30.0


def test_top_on_a_terminal_ends_with_q(shared: Cluster) -> None:
    """It shows every server, and leaves the terminal as it was; in a pipe it is text, once."""
    one = shared.servers[0]
    text = one.cli("top")
    assert text.code == 0
    assert "leads in term" in text.out
    assert [line.split()[0] for line in text.out.splitlines()[4:]] == sorted(server.name for server in shared.servers)

    master, slave = pty.openpty()
    command = [*PROGRAM, "top", "--address", one.address]
    env = environment({"TERM": "xterm", "COLUMNS": "160", "LINES": "40"})
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env)
    try:
        os.close(slave)
        seen, ends_at = b"", time.monotonic() + DEADLINE_S
        while b"q quits" not in seen and time.monotonic() < ends_at:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65_536)
        assert all(server.address.encode() in seen for server in shared.servers), seen
        os.write(master, b"q")
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_a_bundle_has_every_server_and_no_secret(cluster: Cluster, tmp_path: Path) -> None:
    """A server that was killed is in it with the reason; what must not travel is in no file of it."""
    key = tmp_path / "key"
    assert run("keys", "generate", str(key)).code == 0
    tokens = tmp_path / "tokens"
    token = run("tokens", "generate", str(tokens), "--name", "t").out.strip()
    kept = Cluster(tmp_path / "kept", key=key)
    try:
        handler = "user:deploy=sh -c 'true hidden-argument'"
        options = ("--http-tokens", str(tokens), "--event-handler", handler)
        one = kept.add(*options)
        one.start()
        two = kept.add(*options, join=one)
        two.start()
        kept.agree()
        one.put("secret-name", "secret-value")
        assert one.cli("event", "send", "deploy").code == 0
        two.kill()

        file = tmp_path / "bundle.tar.gz"
        made = one.cli("debug", "bundle", str(file), "--format", "json")
        assert made.code == 0, made
        assert sorted(made.json["servers"].values()) == [False, True]
        with tarfile.open(file) as archive:
            files = {m.name: archive.extractfile(m).read().decode() for m in archive.getmembers()}  # type: ignore[union-attr]
        asked = {name.rpartition("/")[2]: text for name, text in files.items() if f"/{one.name}-" in name}
        for part in (
            "status",
            "members",
            "raft.peers",
            "actors.list",
            "actors.mailboxes",
            "actors.dead_letters",
            "info",
        ):
            assert json.loads(asked[f"{part}.json"]), part
        assert json.loads(asked["metrics.json"])["raft_term"]
        assert "leads" in asked["log.jsonl"]
        errors = json.loads(files["quorate-debug/manifest.json"])["servers"]
        assert [bool(errors[name]) for name in sorted(errors)] == [False, True]

        everything = "\n".join(files.values())
        tables = tomllib.loads(key.read_text())
        secrets = [tables[table]["secret"] for table in ("server", "client")]
        for secret in (*secrets, token, "hidden-argument", "secret-name", "secret-value"):
            assert len(secret) > 5
            assert secret not in everything
    finally:
        kept.close()


def test_a_bundle_of_nobody(tmp_path: Path) -> None:
    """Exit code 3, one line, no file."""
    outcome = run("debug", "bundle", str(tmp_path / "b"), "--address", "127.0.0.1:1", "--timeout", "10")
    assert (outcome.code, list(tmp_path.iterdir())) == (3, [])
    assert outcome.error.startswith("error: no server at 127.0.0.1:1 (connection refused): start one")


def test_a_bundle_without_a_key(tmp_path: Path) -> None:
    """A key file that cannot be read is wrong usage, and no server's silence."""
    outcome = run("debug", "bundle", str(tmp_path / "b"), "--key", str(tmp_path / "none"))
    assert (outcome.code, list(tmp_path.iterdir())) == (2, [])
    assert "none cannot be read" in outcome.error
