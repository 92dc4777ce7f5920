"""What a server says of Raft to those who ask: no more than it can know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from actors.raft.status import raft_status
from actors.views import status_view
from tests.unit.raft.stage import Stage, StageServer

WRITABLE: Any = SimpleNamespace(error="")


def seen(server: StageServer) -> dict[str, Any]:
    """Its view, on a disk that is well."""
    return raft_status(server.core, server.applier, WRITABLE)


def test_a_server_in_no_configuration_knows_of_no_quorum() -> None:
    """It hears a leader when it stands at the address of an old voter, which says nothing of a majority of its own."""
    stage = Stage(voters=1, strangers=1)
    outsider = stage["s1"]
    outsider.core.state.follow("s0")
    assert outsider.core.state.hears_leader()

    assert (seen(outsider)["quorum"], seen(outsider)["voters"]) == (False, [])


@pytest.mark.parametrize(
    ("voters", "quorum", "words"),
    [
        (["a"], True, "yes"),
        (["a"], False, "NO: writes and linearizable reads cannot be served"),
        ([], False, "NO: this server is in no Raft configuration"),
    ],
)
def test_the_quorum_in_the_table(voters: list[str], quorum: bool, words: str) -> None:
    """What is wrong is said, and what that means."""
    shown = status_view(
        {
            "node": "s1",
            "id": "1",
            "cluster_id": "c",
            "role": "follower",
            "leader": "",
            "term": 1,
            "quorum": quorum,
            "voters": voters,
            "standbys": [],
            "commit_index": 0,
            "applied_index": 0,
        }
    )

    assert [line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("quorum")] == [words]
