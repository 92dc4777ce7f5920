"""The metrics as Prometheus reads them: what the gateway says, HTTP's own counts, and labels that are bounded."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from actors.gateway.http.counts import UNMATCHED
from actors.gateway.http.exposition import exposition
from actors.gateway.metrics import PREFIX
from storage.commit_times import LIMITS_S, CommitTimes
from tests.unit.gateway.http.play import Http


def parsed(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Sample name to values by their labels' values."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def test_http_counts_by_route_and_not_by_path(http: Http) -> None:
    """A thousand keys are one label; so are all paths that are none."""
    http.gateway.metrics = {"raft_term": [[[], 3]]}
    for number in range(5):
        await http("PUT", f"/v1/kv/key{number}", data=b"")
        await http("GET", f"/no/such/path{number}")
    await http("GET", "/v1/kv/none")
    status, text = await http.text("/metrics")

    assert status == 200
    values = parsed(text)
    assert values["quorate_raft_term"] == {(): 3}
    counted = values["quorate_http_requests_total"]
    assert counted["/v1/kv/{key}", "2xx"] == 5
    assert counted["/v1/kv/{key}", "4xx"] == 1
    assert counted[UNMATCHED, "4xx"] == 5
    assert values["process_resident_memory_bytes"][()] > 1_000_000


def test_commit_times_are_a_histogram() -> None:
    """Each bucket counts what is within its limit, as Prometheus has it; what is beyond them all is in +Inf."""
    times = CommitTimes()
    for elapsed_s in (0.0, LIMITS_S[0], 0.003, 60.0):
        times.add(elapsed_s)
    values = parsed(exposition({"storage_commit_seconds": [(["raft.db"], times.report())]}).decode())

    buckets = values[f"{PREFIX}storage_commit_seconds_bucket"]
    assert (buckets["raft.db", "0.0005"], buckets["raft.db", "0.005"], buckets["raft.db", "+Inf"]) == (2, 3, 4)
    assert values[f"{PREFIX}storage_commit_seconds_sum"]["raft.db",] == 60.0035
