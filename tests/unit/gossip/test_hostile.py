"""Nothing in a message makes the core raise, grow without limit or lose its members (docs/membership-cases.md, S28)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.gossip.beliefs import MEMBERS_MAX
from actors.gossip.dispatches import PING, Query, QueryRelay, QueryReply, UserEvent
from actors.gossip.effects import KeepClocks
from actors.gossip.member import ACCUSERS_MAX, COUNTER_MAX, Accusation, Claim, Intent, Liveness
from actors.gossip.messages import (
    BETWEEN_SERVERS,
    Ack,
    Compare,
    EventSync,
    Gossip,
    Join,
    Joined,
    JoinRefused,
    Muster,
    Nack,
    NameAnswer,
    NameAsk,
    Notice,
    NoticeAck,
    Ping,
    PingRequest,
    Stranger,
    Sync,
    Twin,
)
from actors.gossip.relays import RELAYS_MAX
from tests.unit.gossip.lone import ME, Lone, claim, notes
from transport.wire import encode_body

INTEGERS = st.one_of(st.integers(-2, 60), st.integers(-(2**63), 2**64 - 1))
TEXTS = st.one_of(st.sampled_from(["id-me", "id-a", "id-b", "a", "me:1", "a:1", "c0", "c1", ""]), st.text(max_size=300))
FLOATS = st.floats()
CLAIMS = st.builds(
    Claim,
    id=TEXTS,
    name=TEXTS,
    address=TEXTS,
    tags=st.dictionaries(st.text(max_size=9), st.text(max_size=300), max_size=3),
    incarnation=INTEGERS,
    lamport=INTEGERS,
    liveness=st.sampled_from(Liveness),
    intent=st.sampled_from(Intent),
    accusers=st.lists(st.builds(Accusation, by=TEXTS, evidence=TEXTS), max_size=12).map(tuple),
    age_s=INTEGERS,
)
MANY = st.lists(CLAIMS, max_size=4)
EVENTS = st.lists(st.builds(UserEvent, INTEGERS, TEXTS, st.binary(max_size=600), st.booleans()), max_size=4)
QUERIES = st.lists(
    st.builds(
        Query,
        INTEGERS,
        INTEGERS,
        TEXTS,
        st.one_of(TEXTS, st.just(PING)),
        st.binary(max_size=1100),
        FLOATS,
        st.lists(TEXTS, max_size=3).map(tuple),
        st.dictionaries(TEXTS, st.one_of(TEXTS, st.text("a(|)*+?[]^$\\.", max_size=12)), max_size=3),
        st.booleans(),
        INTEGERS,
    ),
    max_size=3,
)
REPLIES = st.builds(QueryReply, INTEGERS, TEXTS, st.booleans(), st.booleans(), st.binary(max_size=1100), TEXTS)
MESSAGES = st.one_of(
    st.builds(Ping, INTEGERS, TEXTS, MANY),
    st.builds(Ack, INTEGERS, TEXTS, MANY, INTEGERS, st.binary(max_size=60), INTEGERS),
    st.builds(Nack, INTEGERS, TEXTS),
    st.builds(Muster, INTEGERS, CLAIMS, TEXTS, TEXTS, st.booleans()),
    st.builds(Stranger, INTEGERS, TEXTS),
    st.builds(PingRequest, INTEGERS, TEXTS, TEXTS, FLOATS),
    st.builds(Gossip, MANY, EVENTS, QUERIES),
    st.builds(EventSync, INTEGERS, INTEGERS, INTEGERS, EVENTS, INTEGERS, INTEGERS),
    REPLIES,
    st.builds(QueryRelay, TEXTS, REPLIES),
    st.builds(Sync, MANY, st.booleans()),
    st.builds(Compare, INTEGERS),
    st.builds(Notice, INTEGERS, CLAIMS),
    st.builds(NoticeAck, INTEGERS),
    st.builds(Join, INTEGERS, TEXTS, CLAIMS),
    st.builds(Joined, INTEGERS, TEXTS, MANY, INTEGERS, INTEGERS),
    st.builds(JoinRefused, INTEGERS, TEXTS, TEXTS, TEXTS),
    st.builds(NameAsk, INTEGERS, TEXTS),
    st.builds(NameAnswer, INTEGERS, TEXTS),
    st.builds(Twin, FLOATS, st.booleans()),
)


def test_every_message_is_heard() -> None:
    """What the actor takes from other servers has a part of the core that hears it, and there is nothing else."""
    assert set(Lone("a").core._handlers) == set(BETWEEN_SERVERS)


@pytest.mark.parametrize("cluster_id", ["c0", ""])
@given(messages=st.lists(st.tuples(TEXTS, MESSAGES, st.sampled_from([0.0, 0.01, 1.0, 30.0])), max_size=12))
def test_28_any_message_at_any_time(cluster_id: str, messages: list[tuple[str, object, float]]) -> None:
    """Whatever comes, the core goes on, and what it wants sent can be sent."""
    lone = Lone("a", "b", cluster_id=cluster_id)
    lone.core.join(lone.now, ["x:1"])
    for sender, message, pause_s in messages:
        lone.get(message, sender)
        lone.wait(pause_s)

    assert lone.status(ME) == "alive"
    for effect in lone.effects:
        if hasattr(effect, "message"):
            encode_body(effect.message)
        if isinstance(effect, KeepClocks):
            assert max(effect.events, effect.queries) <= COUNTER_MAX


def test_an_unsound_claim_is_dropped_and_said_once() -> None:
    """The rest of the message counts."""
    lone = Lone("b")
    for _ in range(10):
        lone.hear(claim("a", -1), claim("c"))

    assert (lone.status("a"), lone.status("c")) == ("", "alive")
    assert notes(lone.effects) == "dropped a claim of id-peer: a counter is out of range"
    assert lone.core.report.status(lone.now)["counters"]["unsound claims"] == 10


def test_no_more_members_than_fit() -> None:
    """A flood of invented members ends at the limit, and the log says so."""
    lone = Lone("b")
    for start in range(0, MEMBERS_MAX + 1000, 250):
        lone.get(Sync([claim(f"x{start + number}", age_s=0) for number in range(250)], reply=False))

    assert lone.core.report.status(lone.now)["members"] == MEMBERS_MAX
    assert f"more than {MEMBERS_MAX} members are known" in notes(lone.effects)


def test_no_more_relays_than_fit() -> None:
    """A flood of requests to relay is dropped beyond the limit."""
    lone = Lone("a", "b")
    for number in range(RELAYS_MAX + 100):
        lone.get(PingRequest(number, "id-b", "b:1", 60.0), "a")

    assert lone.core.report.status(lone.now)["counters"]["dropped ping requests"] == 100


def test_accusers_do_not_pile_up() -> None:
    """However many accuse, a claim keeps its size."""
    lone = Lone("a", "b")
    for number in range(50):
        lone.hear(claim("a", liveness=Liveness.SUSPECT, accusers=(f"x{number}",)))

    known = lone.core.report.named(lone.now, "a")
    assert known[0].status == "suspect"
    assert lone.why("a").count("accused") == ACCUSERS_MAX


def test_no_clock_that_a_disk_cannot_hold_is_kept() -> None:
    """A welcome with clocks beyond all limits."""
    lone = Lone(cluster_id="")
    effects = lone.get(Joined(1, "c0", [], 2**63, 2**64 - 1))

    assert [effect for effect in effects if isinstance(effect, KeepClocks)] == [
        KeepClocks(events=COUNTER_MAX),
        KeepClocks(queries=COUNTER_MAX),
    ]
