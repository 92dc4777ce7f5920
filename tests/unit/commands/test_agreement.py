"""When `cluster up` may say that the cluster is there."""

from __future__ import annotations

from typing import Any

import pytest

from commands.agreement import missing


def status(**changes: Any) -> dict[str, Any]:
    """What one of three healthy servers answers."""
    healthy = {
        "cluster_id": "c",
        "node": "server-1",
        "leader": "server-0",
        "term": 2,
        "voters": ["server-0", "server-1", "server-2"],
        "members": {"alive": 3},
        "starting": False,
    }
    return {**healthy, **changes}


def test_three_servers_that_say_the_same_agree() -> None:
    """One cluster, one leader in one term, all members alive, all voters counted: nothing is missing."""
    assert missing([status()] * 3, 3) == ""


@pytest.mark.parametrize(
    ("third", "expected"),
    [
        (None, "2 of 3 servers answer"),
        (status(cluster_id=""), "the servers have not joined one cluster yet"),
        (status(leader=""), "no leader yet"),
        (status(leader="server-1"), "the servers do not name the same leader yet"),
        (status(term=3), "the servers do not name the same leader yet"),
        (status(members={"alive": 2, "suspect": 1}), "2 of 3 members alive"),
        (status(members={}), "0 of 3 members alive"),
        (status(voters=["server-0", "server-1"]), "2 of 3 voters"),
        (status(starting=True), "2 of 3 servers have come to the end of their start"),
    ],
)
def test_what_is_missing_is_said(third: dict[str, Any] | None, expected: str) -> None:
    """One server that is not there yet keeps the cluster waiting, and the reason names it."""
    assert missing([status(), status(), third], 3) == expected


def test_two_clusters_are_not_waited_for_as_if_they_could_become_one() -> None:
    """Server 0 whose folder was emptied has begun another one: who is where is said, and the way out."""
    apart = missing([status(node="server-0", cluster_id="new"), status(), status(node="server-2")], 3)

    assert apart.startswith("server-0 is of cluster new and server-1 is of cluster c, which never merge: was a folder")
    assert "--peer of another" in apart
