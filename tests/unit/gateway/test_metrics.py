"""The metrics: a gateway gathers them from its neighbours, each under a name that is defined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.config import NodeConfig
from actors.gateway.metrics import DEFINITIONS
from tests.unit.gateway.cast import ONE, Server
from tests.unit.runtime.virtual_time import story


@story
async def test_a_gateway_gathers_what_its_neighbours_say() -> None:
    """Whoever does not answer (there is no persistence here) is left out, and the others are there."""
    async with Server(NodeConfig(data_dir=Path("data"))) as server:
        await server.follow(ONE)
        await server.value("propose", [b"a"])
        samples: dict[str, Any] = await server.value("metrics")

        assert samples["raft_term"] == [[[], 3]]
        assert samples["raft_role"][0] == [["leader"], 1]
        assert sum(value for _, value in samples["raft_role"]) == 1
        assert samples["gossip_members"][:2] == [[["alive"], 1], [["suspect"], 1]]
        assert samples["gossip_probes"] == [[[], 7]]
        assert samples["gateway_requests"] == [[[], 1]]
        counts = {kind: times["count"] for (kind,), times in samples["gateway_request_seconds"]}
        assert counts == {"read": 0, "write": 1}
        assert "storage_bytes" not in samples
        assert set(samples) <= {one.name for one in DEFINITIONS}
        server.answers = False
        ill: dict[str, Any] = await server.value("metrics")
        assert ("raft_term" in ill, "gossip_probes" in ill) == (False, True)
