"""Backup and restore of real clusters: one picture under writes, refused when torn, over what is there by force."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from storage.kv_protocol import VALUE_BYTES_MAX, put_many
from tests.support.cluster import Cluster
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PAIRS = 2_500
"""More than two pages."""


def fill(server: Server, generation: int) -> None:
    """Set every key to the same generation, 125 at a time."""
    with server.client() as client:
        for first in range(0, PAIRS, 125):
            batch = {f"k/{number:05}": f"{generation}".encode() for number in range(first, first + 125)}
            client.propose(put_many(batch))


def restore_from_pipe(server: Server, pipe: Path, file: Path) -> None:
    """By force, through a named pipe, which can be read once."""
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(file.read_bytes()))
    feeder.start()
    assert server.cli("restore", str(pipe), "--force").code == 0
    feeder.join()


def test_a_backup_is_one_picture_and_goes_into_a_new_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """Taken while others write; each key is as at the revision, whatever comes after."""
    (one,) = cluster.form(1).servers
    fill(one, 0)
    one.put("large", bytes(VALUE_BYTES_MAX))
    one.put("binary\n", b"\xff\x00")
    file = tmp_path / "b"
    ended = threading.Event()

    def write() -> None:
        generation = 0
        while not ended.is_set():
            generation += 1
            one.put(f"k/{generation * 7 % PAIRS:05}", f"{generation}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = one.cli("backup", str(file), "--format", "json")
    finally:
        ended.set()
        writer.join()
    assert made.code == 0, made
    assert made.json["keys"] == PAIRS + 2
    assert file.stat().st_mode & 0o077 == 0

    then = one.cli("kv", "get", "k/00007", "--revision", str(made.json["revision"])).out
    refused = one.cli("restore", str(file))
    assert (refused.code, "the store has keys" in refused.error) == (1, True)

    other = Cluster(tmp_path / "other")
    try:
        (new,) = other.form(1).servers
        torn = tmp_path / "torn"
        torn.write_bytes(file.read_bytes()[:-3])
        outcome = new.cli("restore", str(torn))
        assert (outcome.code, "cut off" in outcome.error) == (1, True)
        assert new.state() == {}
        assert new.cli("restore", "-", stdin=file.read_bytes()).code == 0
        state = new.state()
        assert len(state) == PAIRS + 2
        assert (len(state["large"][0]), state["binary\n"][0]) == (VALUE_BYTES_MAX, b"\xff\x00")
        assert state["k/00007"][0].decode() == then

        new.put("k/00000", "mine")
        new.put("mine", "stays")
        restore_from_pipe(new, tmp_path / "pipe", file)
        assert new.get("k/00000") == state["k/00000"][0]
        assert new.get("mine") == b"stays"
        assert sorted(os.listdir(tmp_path)) == ["b", "cluster", "other", "pipe", "torn"]
    finally:
        other.close()


def test_a_file_that_cannot_be_written(shared: Cluster, tmp_path: Path) -> None:
    """One line, and nothing left behind."""
    outcome = shared.servers[0].cli("backup", str(tmp_path / "no" / "such" / "b"))
    assert outcome.code == 1
    assert "No such file" in outcome.error
    assert shared.servers[0].cli("restore", str(tmp_path / "none")).code == 1
