"""An actor that keeps crashing: its supervisor gives up, and the process says so and ends."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.mark.parametrize("actor", ["raft", "gateway"])
def test_four_crashes_in_30_s_end_the_process(cluster: Cluster, actor: str) -> None:
    """Three crashes are borne; the fourth ends the process with 70 and a line that says which actor, and why."""
    cluster.form(3)
    victim = cluster.followers()[0]
    for incarnation in range(1, 4):
        victim.crash(actor)

        def runs(after: int = incarnation) -> bool:
            row = victim.actor(actor)
            return bool(row["incarnation"] > after and row["state"] == "running")

        wait_until(f"{actor} runs again", runs)
    cluster.agree()

    victim.crash(actor)

    assert victim.wait_exit() == 70
    line = victim.wait_log(r"CRITICAL quorate\.node: giving up: (.*)").group(1)
    assert actor in line
    assert "4 crashes within 30 s" in line
    cluster.servers[0 if victim is not cluster.servers[0] else 1].put("k", "v")
    victim.start()
    cluster.agree()
    assert victim.get("k") == b"v"
