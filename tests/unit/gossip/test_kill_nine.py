"""SIGKILL in the middle of everything, again and again: what gossip has said is never taken back (serf.db)."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from storage.data_dir import DataDir
from storage.serf_db import SerfState

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = 6


def test_41_incarnation_and_clock_never_go_back(tmp_path: Path, seed: int) -> None:
    """S41: each run begins above all that any run before it has said, whenever that was killed.

    serf.db opens after every kill, with the id and the cluster of the first start, and whom the server has met in it.
    """
    rng = random.Random(seed)
    incarnation = clock = 0
    ids = set()
    for _ in range(ROUNDS):
        said = killed_member(tmp_path, rng.randrange(1, 40), rng.getrandbits(32))
        assert all(now > incarnation and time > clock for now, time in said)
        incarnation, clock = said[-1]

        state = kept(tmp_path)

        assert state.incarnation >= incarnation
        assert state.clock >= clock
        assert state.cluster_id == "c0"
        ids.add(state.id)
    assert len(ids) == 1
    assert {member.name for member in state.members} == {f"m{number}" for number in range(8)}


def killed_member(folder: Path, lines: int, seed: int) -> list[tuple[int, int]]:
    """Let a server talk for some lines and kill it; returns every (incarnation, Lamport time) that it said."""
    command = [sys.executable, "-m", "tests.unit.gossip.busy_member", str(folder), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as member:
        assert member.stdout is not None
        text = b"".join(member.stdout.readline() for _ in range(lines))
        member.kill()
        text += member.stdout.read()
    whole = text[: text.rfind(b"\n") + 1].decode().splitlines()
    return [(int(incarnation), int(clock)) for incarnation, clock in map(str.split, whole)]


def kept(folder: Path) -> SerfState:
    """What the disk holds for the next start."""
    data_dir = DataDir.open(folder / "busy")
    try:
        return data_dir.open_serf().load()
    finally:
        data_dir.close()
