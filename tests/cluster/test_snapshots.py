"""A server so far behind that the log no longer has what it misses gets a snapshot."""

from __future__ import annotations

import asyncio
import re

import pytest

from actors.config import RAFT_TIMING
from actors.raft.snapshots import WINDOW_CHUNKS
from actors.raft.snapshotting import TAIL_BYTES_MAX
from quorate.client import Client
from tests.support.cluster import Cluster
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

ENTRIES = RAFT_TIMING["local"].tail_entries + 200
LARGE = 24
LARGE_BYTES = 512 * 1024
FALLS_OFF = 2 * TAIL_BYTES_MAX // LARGE_BYTES
"""So many large values do not fit into the tail of the log."""


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


@pytest.mark.long
async def test_the_transfer_of_a_snapshot_outlives_the_link_and_the_receiver(cluster: Cluster) -> None:
    """Cut off and killed in the middle, the receiver finds what it had on its disk, and gets the rest alone."""
    cluster.form(3)
    lagging = cluster.followers()[0]
    lagging.kill()
    leader = cluster.leader()
    async with Client(leader.address, timeout_s=30.0) as client:
        for number in range(FALLS_OFF):
            await client.kv.put(f"large/{number:02}", bytes([number]) * LARGE_BYTES)
    for server in cluster.running:
        assert server.cli("raft", "snapshot").code == 0
    # The leader hears nothing of it, so that no more than the first few chunks are sent.
    leader.ask("fault.cut", {"address": lagging.address, "inbound": True, "outbound": False})
    lagging.start()
    status = lagging.wait_status(
        "the first chunks", lambda seen: (seen["snapshot_arriving"] or {"chunks": 0})["chunks"] == WINDOW_CHUNKS
    )
    total = status["snapshot_arriving"]["chunks_total"]
    assert total > 2 * WINDOW_CHUNKS
    (row,) = (peer for peer in leader.ask("raft.peers") if peer["name"] == lagging.name)
    assert row["snapshot"]["chunks"] == 0, "nothing was acknowledged"
    assert row["snapshot"]["chunks_total"] == total
    assert row["snapshot"]["bytes_total"] > FALLS_OFF * LARGE_BYTES

    lagging.kill()
    leader.ask("fault.cut", {"address": lagging.address, "inbound": True, "outbound": True})
    lagging.start()
    arriving = lagging.wait_status("a server cut off", lambda seen: seen["role"] == "follower")["snapshot_arriving"]
    assert arriving["chunks_total"] == total
    assert arriving["chunks"] == WINDOW_CHUNKS, "they are on its disk"

    cluster.heal()
    cluster.agree()
    assert len(cluster.same_state()) == FALLS_OFF
    assert lagging.status()["snapshot_arriving"] is None
    assert not re.search("Traceback", lagging.log_text())
