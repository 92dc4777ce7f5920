"""`top`: rates between two looks, and one picture as text where there is no terminal."""

from __future__ import annotations

from typing import Any

import pytest

from commands import top
from commands.top import Look, quantile_ms, rates, rows, throughput
from tests.unit.cli.play import Play

STATUS = {
    "node": "one",
    "cluster_id": "c1",
    "leader": "two\x1b[2J",
    "term": 7,
    "quorum": True,
    "commit_index": 100,
    "applied_index": 99,
}
MEMBERS: list[dict[str, Any]] = [
    {"id": "1", "name": "one", "address": "a:1", "status": "alive", "rtt_ms": None},
    {"id": "2", "name": "two\x1b[2J", "address": "b:2", "status": "suspect", "rtt_ms": 0.5},
]
PEERS: list[dict[str, Any]] = [
    {"id": "1", "name": "one", "address": "a:1", "role": "follower", "voter": True, "lag": 3},
    {"id": "3", "name": "lost", "address": "c:3", "role": "follower", "voter": False, "lag": None},
]


def requests(writes: int, buckets: list[int]) -> dict[str, Any]:
    """What a gateway has counted."""
    kind = {"commands": writes, "buckets": buckets}
    return {"in_progress": 2, "bounds_s": [0.001, 0.01], "writes": kind, "reads": {"commands": 0, "buckets": [0, 0, 0]}}


def look(at: float, commit: int, writes: int, buckets: list[int]) -> Look:
    """One answer of everything."""
    return Look(at, {**STATUS, "commit_index": commit}, MEMBERS, PEERS, requests(writes, buckets))


def test_rates_are_of_the_time_between_two_looks() -> None:
    """And quantiles too; counters that began anew are no negative rate."""
    before, after = look(1.0, 100, 50, [10, 0, 0]), look(3.0, 300, 90, [20, 90, 0])
    found = rates(before, after)
    assert (found.commits, found.writes, found.write_p99_ms, found.read_p99_ms) == (100.0, 20.0, 10.0, None)
    assert "100 entries/s committed; at one: 20 writes/s (p99 10 ms), 0 reads/s, 2 in progress" in throughput(
        found, after
    )
    anew = rates(after, look(4.0, 300, 0, [0, 0, 0]))
    assert (anew.writes, anew.write_p99_ms) == (0.0, None)


def test_quantiles_beyond_the_last_bound() -> None:
    """Say the last bound, not nothing."""
    assert quantile_ms([0.001, 0.01], [0, 0, 5], 0.99) == 10.0


def test_members_and_who_is_in_raft_alone() -> None:
    """A name cannot move the cursor."""
    assert rows(look(0.0, 1, 1, [0, 0, 0])) == [
        ("one", "a:1", "alive", "follower", "yes", "3", "-"),
        ("two\\x1b[2J", "b:2", "suspect", "-", "-", "-", "0.5 ms"),
        ("lost", "c:3", "-", "follower", "no", "-", "-"),
    ]


def test_in_a_pipe_it_is_text_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """And JSON with the same figures."""
    monkeypatch.setattr(top, "PERIOD_S", 0.0)
    play.answers = {"status": STATUS, "members": MEMBERS, "raft.peers": PEERS, "requests": requests(1, [1, 0, 0])}
    text = play.text("top")
    assert "two\\x1b[2J leads in term 7   quorum   commit 100, applied 99" in text
    assert text.splitlines()[-1].split() == ["lost", "c:3", "-", "follower", "no", "-", "-"]
    assert '"writes_per_s": 0.0' in play.text("top", "--format", "json")
