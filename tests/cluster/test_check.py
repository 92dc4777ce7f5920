"""`check DIR` on the data directory of a real server."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def test_a_flipped_byte_is_found_by_check_and_at_the_start(cluster: Cluster) -> None:
    """Sound after a kill, refused while it runs, and one changed byte of a value is named by both."""
    server = cluster.add()
    server.start()
    cluster.agree()
    server.put("k", "a value that can be recognised")
    running = run("check", str(server.data_dir))
    assert (running.code, "in use" in running.error, "--data-dir" in running.error) == (2, True, False)
    server.kill()

    sound = run("check", str(server.data_dir))
    assert (sound.code, sound.err) == (0, "")
    assert f"server {server.name} " in sound.out

    file = server.data_dir / "raft.db"
    content = bytearray(file.read_bytes())
    content[content.index(b"can be recognised")] ^= 0x20
    file.write_bytes(content)
    corrupt = run("check", str(server.data_dir))
    assert corrupt.code == 1
    assert corrupt.out.startswith("raft.db: log entry ")
    assert "--peer" in corrupt.error
    assert run("check", "--format", "json", str(server.data_dir)).json["findings"][0]["file"] == "raft.db"
    server.start()
    assert server.wait_exit() == 1
    assert "does not match its checksum" in server.log_text()
    assert run("check", str(server.data_dir / "nowhere")).code == 2
