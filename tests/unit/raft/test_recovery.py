"""What a recovery makes of a log: another cluster, a higher term, and among survivors the same order as before."""

from __future__ import annotations

import pytest

from actors.raft.configuration import Configuration, Server
from actors.raft.entries import configuration_of, encode_commands, encode_configuration, is_configuration
from actors.raft.recovery import TERMS, Recovery, RecoveryError, plan_recovery
from storage.log_table import Entry
from storage.raft_messages import HardState, RaftLoaded

OLD = Configuration(tuple(Server(f"id{i}", f"s{i}", f"10.0.0.{i}:7946", voter=i < 3) for i in range(4)))


def loaded(*terms: int, term: int = 0, cluster_id: str = "old") -> RaftLoaded:
    """A log that begins with the configuration, in term 1, and goes on with entries of these terms."""
    entries: list[Entry] = [(encode_configuration(OLD.encode()), 2, 1)]
    entries += [(encode_commands([b"x"]), index, entry_term) for index, entry_term in enumerate(terms, start=3)]
    hard_state = HardState(max(term, *terms, 1), None)
    return RaftLoaded(hard_state, cluster_id, 1, 0, entries, 2, None)


def configuration(recovery: Recovery) -> Configuration:
    """What the entry says."""
    assert is_configuration(recovery.entry)
    return Configuration.decode(configuration_of(recovery.entry))


def test_a_survivor_alone() -> None:
    """It votes alone, whatever it was; the others are given up; the cluster is another one."""
    recovery = plan_recovery(loaded(1, 2), "id3", {})

    assert (
        configuration(recovery)
        == recovery.configuration
        == Configuration((Server("id3", "s3", "10.0.0.3:7946", True),))
    )
    assert [server.name for server in recovery.lost] == ["s0", "s1", "s2"]
    assert recovery.cluster_id != "old"
    assert recovery.term > TERMS


def test_several_survivors_with_new_addresses() -> None:
    """Those that are named, where they are said to be."""
    recovery = plan_recovery(loaded(1), "id1", {"s1": "10.1.0.1:7946", "s0": ""})

    assert [(s.name, s.address, s.voter) for s in recovery.configuration.servers] == [
        ("s0", "10.0.0.0:7946", True),
        ("s1", "10.1.0.1:7946", True),
    ]


def test_survivors_that_are_told_the_same_come_to_the_same_cluster() -> None:
    """In whatever order they are named; told otherwise they come to another one, and never meet."""
    one = plan_recovery(loaded(1), "id0", {"s0": "", "s1": ""})
    other = plan_recovery(loaded(1, 1), "id1", {"s1": "", "s0": ""})
    alone = plan_recovery(loaded(1), "id0", {})

    assert (one.cluster_id, one.entry) == (other.cluster_id, other.entry)
    assert alone.cluster_id not in (one.cluster_id, "old")


@pytest.mark.parametrize(
    ("ahead", "behind"),
    [
        (loaded(1, 1, 1), loaded(1, 1)),
        (loaded(1, 3), loaded(1, 2, 2, 2)),
        (loaded(1, 3, term=3), loaded(1, 2, term=9)),
    ],
)
def test_the_survivor_that_is_furthest_stays_so(ahead: RaftLoaded, behind: RaftLoaded) -> None:
    """Raft §5.4.1: the log whose last term is later, or that is longer, is elected, before as after."""

    def last(log: RaftLoaded, own_id: str) -> tuple[int, int]:
        recovery = plan_recovery(log, own_id, {"s0": "", "s1": ""})
        return recovery.term, log.entries[-1][1] + 1

    assert last(ahead, "id0") > last(behind, "id1")


def test_no_term_is_used_twice() -> None:
    """Above all terms of the old cluster; a second recovery is above the first one's."""
    first = plan_recovery(loaded(1, 7, term=12), "id0", {})
    second = plan_recovery(loaded(1, first.term, term=first.term + 3), "id0", {})

    assert first.term > 12
    assert second.term > first.term + 3


@pytest.mark.parametrize(
    ("own_id", "survivors", "words"),
    [
        ("stranger", {}, "not in the Raft configuration"),
        ("id0", {"s1": ""}, "the directory of s0"),
        ("id0", {"s0": "", "s9": ""}, "no server named s9"),
        ("id0", {"s0": "10.0.0.1:7946", "s1": ""}, "two servers with the address"),
    ],
)
def test_what_makes_no_sense_is_refused(own_id: str, survivors: dict[str, str], words: str) -> None:
    """With a line that says what does."""
    with pytest.raises(RecoveryError, match=words):
        plan_recovery(loaded(1), own_id, survivors)


def test_a_log_without_a_configuration_cannot_be_recovered() -> None:
    """A server that never was in a cluster has nothing to recover."""
    with pytest.raises(RecoveryError, match="nobody"):
        plan_recovery(RaftLoaded(HardState(0, None), "", 1, 0, [], 1, None), "id0", {})
