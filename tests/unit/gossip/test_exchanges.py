"""The exchange of everything known, the last resort of dissemination: told only to whom it tells something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.gossip.config import LAN
from actors.gossip.member import DIGEST_MODULUS, Claim, Intent
from actors.gossip.messages import Compare, Sync
from tests.unit.gossip.lone import DEAD, LEFT, ME, SUSPECT, Lone, claim, sent
from tests.unit.gossip.test_hostile import MANY

KNOWN = [claim("me", 10), claim("a"), claim("b")]


def question(*told: Claim) -> Compare:
    """What a member asks that knows this."""
    return Compare(sum(each.whole_digest for each in told) % DIGEST_MODULUS)


def test_two_that_know_the_same_exchange_nothing() -> None:
    """An idle member asks once in an interval, and neither side tells what the other knows."""
    lone = Lone("a", "b")
    lone.wait(5)

    asked = lone.wait(LAN.push_pull_interval_s)
    answered = lone.get(question(*KNOWN[1:], lone.core.own), "a")

    assert [message for _, message in sent(asked, Compare)] == [question(*KNOWN[1:], lone.core.own)]
    assert not sent(asked + answered, Sync)


@pytest.mark.parametrize(
    "news",
    [
        [],
        [claim("b", 2, tags={"role": "db"})],
        [claim("b", liveness=DEAD)],
        [claim("b", liveness=SUSPECT, accusers=("c",))],
        [claim("b", lamport=2, intent=LEFT)],
        [claim("b"), claim("c", liveness=DEAD)],
        [claim("b"), claim("c", lamport=2, intent=Intent.PRUNED)],
    ],
    ids=["a member less", "its tags", "its death", "a suspicion", "a leave", "a dead member more", "one to forget"],
)
def test_whoever_knows_anything_else_is_told_everything_and_asked_for_it(news: list[Claim]) -> None:
    """Also of the dead, of which the digests that travel with the answers to probes say nothing."""
    lone = Lone("a", "b")

    effects = lone.get(question(claim("a"), lone.core.own, *news), "a")

    ((address, sync),) = sent(effects, Sync)
    assert (address, sync.reply) == ("a:1", True)
    assert {told.id for told in sync.claims} == {ME, "id-a", "id-b"}


@given(st.lists(MANY, max_size=6))
def test_the_digest_says_what_is_known_whatever_was_heard(told: list[list[Claim]]) -> None:
    """It is kept up with each change, and must not drift from what it sums up."""
    lone = Lone("a", "b")
    for claims in told:
        lone.get(Sync(claims, reply=False))
        lone.wait(LAN.push_pull_interval_s)

    roster = lone.core._shared.roster
    assert roster.whole_digest == sum(each.whole_digest for each in roster) % DIGEST_MODULUS
