"""What a server without a leader says is missing."""

from __future__ import annotations

from typing import Any

import pytest

from actors.gateway.leaderless import why_leaderless, why_unjoined


def raft(voters: int, standbys: int = 0) -> dict[str, Any]:
    """A configuration of voters a, b, c ... and standbys behind them."""
    names = [chr(ord("a") + number) for number in range(voters + standbys)]
    return {
        "storage_error": "",
        "peers": [
            {"id": name, "name": name, "address": f"{name}:1", "voter": number < voters}
            for number, name in enumerate(names)
        ],
    }


TWO_IN_THREE = "2 of 3 voters can be reached, which is a quorum: an election may be under way, try again"


@pytest.mark.parametrize(
    ("voters", "alive", "line"),
    [
        (3, "a", "1 of 3 voters can be reached and a quorum takes 2; missing: b at b:1 (unknown), c at c:1 (unknown)"),
        (1, "", "0 of 1 voter can be reached and a quorum takes 1; missing: a at a:1 (unknown)"),
        (3, "ab", f"{TWO_IN_THREE}; missing: c at c:1 (unknown)"),
        (3, "abc", TWO_IN_THREE.replace("2 of 3", "3 of 3")),
    ],
)
def test_the_voters_that_are_missing_are_named(voters: int, alive: str, line: str) -> None:
    """How many there are, how many it takes, and where the others should be; a standby counts for nothing."""
    assert why_leaderless("a", raft(voters, standbys=1), dict.fromkeys(alive, "alive")) == line


def test_a_long_list_is_cut() -> None:
    """One line, however many servers there are."""
    assert why_leaderless("a", raft(7), {"a": "alive", "b": "alive"}).endswith("e at e:1 (unknown) and 2 more")


def test_a_disk_that_takes_no_writes_is_named() -> None:
    """With every disk full all can be reached, and nobody is elected for as long as that lasts."""
    full = raft(3) | {"storage_error": "raft.db: database or disk is full"}

    assert why_leaderless("a", full, dict.fromkeys("abc", "alive")) == (
        "3 of 3 voters can be reached, which is a quorum; the disk of a takes no writes "
        "(raft.db: database or disk is full)"
    )
    assert why_leaderless("a", full, {"a": "alive"}).endswith(
        "; the disk of a takes no writes (raft.db: database or disk is full)"
    )


def test_what_gossip_thinks_of_them() -> None:
    """A failed server is to be started, one that left is gone for good; a suspect may come back."""
    line = why_leaderless("a", raft(3), {"a": "alive", "b": "failed", "c": "suspect"})

    assert line.endswith("missing: b at b:1 (failed), c at c:1 (suspect)")


def test_a_server_that_has_joined_nobody() -> None:
    """What was heard from the peers it was told to join."""
    assert why_unjoined("one", {"seeking": [{"address": "a:1", "error": ""}]}) == (
        "one has not joined a cluster yet (a:1: no answer yet)"
    )
    assert why_unjoined("one", {}) == "one has not joined a cluster yet (it knows no peer to ask)"
