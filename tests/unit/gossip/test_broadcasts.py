"""The queue of what is still to be told (docs/membership-cases.md, S29)."""

from __future__ import annotations

import random

from actors.gossip.broadcasts import Broadcasts
from actors.gossip.config import LAN, GossipConfig
from actors.gossip.roster import Roster
from tests.unit.gossip.lone import DEAD, claim


def queue(*names: str, config: GossipConfig = LAN) -> Broadcasts:
    """A queue over a roster of these members; all of them are still to be told, in this order."""
    roster = Roster(claim("me"), random.Random(1))
    broadcasts = Broadcasts(roster, config)
    for name in names:
        roster.put(claim(name), 0.0)
        broadcasts.add(f"id-{name}")
    return broadcasts


def heads(broadcasts: Broadcasts, times: int = 1) -> list[list[str]]:
    """The names in the next messages."""
    return [[said.name for said in broadcasts.take(0.0)] for _ in range(times)]


def test_29_transmit_limited_newest_first() -> None:
    """What came last goes first."""
    assert heads(queue("a", "b", "c")) == [["c", "b", "a"]]


def test_29_transmit_limited_fewest_sends_first() -> None:
    """What was sent less often goes before what was sent more often."""
    broadcasts = queue("a", "b")
    broadcasts.take(0.0)
    broadcasts.add("id-a")

    assert heads(broadcasts) == [["a", "b"]]


def test_29_transmit_limited_bytes() -> None:
    """No message holds more than fits; the rest goes with the next."""
    names = [f"a-rather-long-name-{number}" for number in range(60)]
    broadcasts = queue(*names)

    first, second = heads(broadcasts, 2)

    assert 5 < len(first) < 30
    assert not {*first} & {*second}


def test_29_transmit_limited_count() -> None:
    """Each is sent as often as the formula says, then it is done."""
    broadcasts = queue("a", "b")

    told = heads(broadcasts, LAN.retransmit_limit(3) + 1)

    assert [sorted(names) for names in told] == LAN.retransmit_limit(3) * [["a", "b"]] + [[]]
    assert len(broadcasts) == 0


def test_29_newest_replaces_same_subject() -> None:
    """A member that changes again is told from the beginning, with what is known now."""
    broadcasts = queue("a")
    heads(broadcasts, 3)

    broadcasts.add("id-a")

    assert len(broadcasts) == 1
    assert len([names for names in heads(broadcasts, 10) if names]) == LAN.retransmit_limit(2)


def test_a_claim_that_fits_nowhere_is_told_alone() -> None:
    """Or it would block the queue, or never be told."""
    broadcasts = queue("a", config=GossipConfig(message_bytes=40))

    assert heads(broadcasts) == [["a"]]


def test_what_is_asked_for_comes_first_and_does_not_count() -> None:
    """A buddy's claim goes along whether it is queued or not."""
    broadcasts = queue("a", "b")

    assert [said.name for said in broadcasts.take(0.0, first=("id-me", "id-unknown"))] == ["me", "b", "a"]


def test_the_dead_are_told_with_their_age() -> None:
    """A duration, as no two clocks are compared."""
    roster = Roster(claim("me"), random.Random(1))
    broadcasts = Broadcasts(roster, LAN)
    roster.put(claim("a", liveness=DEAD, accusers=("x", "y")), 100.0)
    broadcasts.add("id-a")

    assert [said.age_s for said in broadcasts.take(160.0)] == [60]
