"""A backup goes on when the server that it is taken from dies, and is still one picture."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from storage.backup_file import BackupReader
from storage.kv_protocol import put_many
from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

KEYS = 2_400
VALUE_BYTES = 16 * 1024
"""So many pages of 1 MiB that the kill comes in the middle."""


def test_a_backup_outlives_its_server(cluster: Cluster, tmp_path: Path) -> None:
    """Through the leader, which is killed when a part is written; the others know the revision too."""
    cluster.form(3)
    leader = cluster.leader()
    with leader.client() as client:
        for first in range(0, KEYS, 50):
            client.propose(put_many({f"k/{n:05}": b"%08d" % n * (VALUE_BYTES // 8) for n in range(first, first + 50)}))
    cluster.agree()

    file, draft = tmp_path / "b", ".b.*.part"
    command = [*PROGRAM, "backup", str(file), "--address", leader.address, "--timeout", "30"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE)
    try:
        wait_until("a part is written", lambda: any(part.stat().st_size for part in tmp_path.glob(draft)))
        leader.kill()
        assert process.poll() is None, "it was faster than the kill"
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0, told
    with file.open("rb") as written:
        pairs = [pair for page in BackupReader(written, "b").pairs() for pair in page]
    assert [key for key, _ in pairs] == [f"k/{n:05}" for n in range(KEYS)]
    assert all(value == b"%08d" % n * (VALUE_BYTES // 8) for n, (_, value) in enumerate(pairs))
