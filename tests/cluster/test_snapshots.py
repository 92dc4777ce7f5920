"""A server so far behind that the log no longer has what it misses gets a snapshot."""

from __future__ import annotations

import asyncio
import re

import pytest

from actors.config import RAFT_TIMING
from quorate.client import Client
from tests.support.cluster import Cluster
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

ENTRIES = RAFT_TIMING["local"].tail_entries + 200
LARGE = 24
LARGE_BYTES = 512 * 1024


async def write(server: Server) -> None:
    """Enough entries to fall off the log, and enough bytes for a snapshot of many chunks."""
    async with Client(server.address, timeout_s=30.0) as client:
        for number in range(LARGE):
            await client.kv.put(f"large/{number:02}", bytes([number]) * LARGE_BYTES)
        # One at a time from each of a few writers: an entry each, at most a few together.
        numbers = iter(range(2 * ENTRIES))

        async def one_after_the_other() -> None:
            for number in numbers:
                await client.kv.put(f"small/{number:05}", str(number))

        await asyncio.gather(*(one_after_the_other() for _ in range(2)))


async def test_a_lagging_server_gets_a_snapshot(cluster: Cluster) -> None:
    """Killed, left behind the start of the others' logs, and back: its copy is the same, by a snapshot."""
    cluster.form(3)
    lagging = cluster.followers()[0]
    lagging.kill()
    leader = cluster.leader()
    await write(leader)
    before = leader.status()["log_entries"]
    for server in cluster.running:
        assert server.cli("raft", "snapshot").code == 0
    assert leader.status()["log_entries"] < before, "the log was cut"
    assert leader.status()["snapshot_index"] > 0

    lagging.start()
    cluster.agree()

    state = cluster.same_state()
    assert len(state) == LARGE + 2 * ENTRIES
    assert lagging.status()["snapshot_index"] > 0
    lagging.kill()
    lagging.start()
    cluster.agree()
    assert cluster.same_state() == state, "it starts again from the snapshot it was sent"
    assert not re.search("Traceback", lagging.log_text())
