"""User events in a simulated cluster: each member hears each of them once, and late comers what they may.

docs/membership-cases.md, S37 and S38 (Serf's tests of the same names), and what its users complain about: events
that are lost (consul#9996), come twice (consul#9997), or push membership aside.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.gossip.config import LAN
from actors.gossip.dispatches import EVENT_BYTES_MAX, PING, Query, UserEvent
from actors.gossip.effects import EventHeard, KeepClocks, QueryDone
from actors.gossip.member import COUNTER_MAX
from actors.gossip.messages import Ack, EventSync, Gossip, Ping
from actors.gossip.recent import Recent
from actors.gossip.rumours import OWN_MAX, QUEUE_MAX
from actors.gossip.user_events import KEPT_MAX, DispatchError
from tests.unit.gossip.lone import Lone, claim, notes, sent
from tests.unit.gossip.simnet import Host, Net


def heard(host: Host) -> list[str]:
    """Names of the events that a server heard of, in their order, over all its runs."""
    return [effect.event.name for _, effect in host.effects if isinstance(effect, EventHeard)]


def fire(host: Host, name: str, payload: bytes = b"") -> None:
    """An event is sent from a server."""
    host.call(lambda now: host.core.send_event(now, name, payload, coalesce=False)[1])


@pytest.mark.parametrize("seed", range(2))
def test_everybody_hears_it_once(seed: int) -> None:
    """30 members, 5 % loss: within half a second of the LAN profile, the sender too (Serf: 0.1 to 0.5 s)."""
    net = Net(seed, LAN, loss=0.05)
    hosts = net.cluster(30)
    fire(hosts[3], "deploy", b"v2")

    assert net.took(lambda: all(heard(host) == ["deploy"] for host in hosts), 2.0) < 0.5
    net.run(60)
    assert all(heard(host) == ["deploy"] for host in hosts)


@pytest.mark.parametrize("seed", range(3))
def test_who_was_passed_over_asks_for_it(seed: int) -> None:
    """Told so many times, an event misses one of 30 now and then: the next answer to a probe says that there is one."""
    net = Net(seed, LAN)
    hosts = net.cluster(10)
    net.run(10)
    missed, *others = hosts[::-1]
    net.split([missed], others)
    fire(hosts[0], "deploy")
    # As long as it is told, and not long enough for anybody to be taken for dead.
    net.run(1.5)
    assert all(heard(host) == ["deploy"] for host in others)
    assert heard(missed) == []

    net.heal()

    assert net.took(lambda: heard(missed) == ["deploy"], 30.0) < 2 * LAN.repair_s(10)


def test_who_has_heard_of_less_and_missed_nothing_asks_once() -> None:
    """All were started again since, so nobody has the events any more: their time alone is what there is to say."""
    net = Net(1, LAN)
    hosts = net.cluster(3)
    net.run(10)
    *others, late = hosts
    net.kill(late)
    fire(others[0], "before")
    net.run(5)
    for host in others:
        net.kill(host)
    net.run(3)
    for host in others:
        host.start()
    net.run(5)
    late.start()

    net.run(LAN.push_pull_interval_s / 2)

    assert late.core._parts.herald.events.clock == others[0].core._parts.herald.events.clock > 0
    assert late.core._shared.counts["repairs"] <= 1
    assert heard(late) == []


def test_nobody_runs_after_a_clock_that_cannot_be() -> None:
    """A member whose answers claim a time beyond the last one is not asked about it again and again."""
    lone = Lone("a")
    lone.silent.add("a")
    lone.get(EventSync(2, 0, 0, [], COUNTER_MAX), "a")
    asked = []

    for _ in range(20):
        for _, ping in sent(lone.wait(1.0), Ping):
            asked += sent(lone.get(Ack(ping.sequence, ping.target, [], 1, b"", 2**64 - 1), "a"), EventSync)

    assert asked == []


def test_what_is_heard_before_one_speaks_has_an_earlier_time() -> None:
    """Lamport's order: an answer to an event comes after it for everybody."""
    net = Net(1)
    hosts = net.cluster(3)
    fire(hosts[0], "one")
    assert net.until(lambda: heard(hosts[1]) == ["one"], 5)
    fire(hosts[1], "two")
    net.run(5)

    times = [e.event.ltime for _, e in hosts[2].effects if isinstance(e, EventHeard)]
    assert times == sorted(set(times))


def test_37_a_newcomer_does_not_hear_what_was_before_it() -> None:
    """Join_IgnoreOld: nothing old, and everything from then on."""
    net = Net(2)
    hosts = net.cluster(3)
    fire(hosts[0], "old")
    net.run(2)
    newcomer = net.add("late", peers=["n1:7946"])
    assert net.until(lambda: net.agree([*hosts, newcomer]), 10)
    fire(hosts[2], "new")
    net.run(40)

    assert heard(newcomer) == ["new"]
    assert all(heard(host) == ["old", "new"] for host in hosts)


def test_37_a_newcomer_that_asks_for_them_hears_the_latest() -> None:
    """start --replay: as many as are kept, in their order, and nobody else hears one again."""
    net = Net(3)
    hosts = net.cluster(3)
    for number in range(5):
        fire(hosts[number % 3], f"e{number}")
        net.run(1)
    newcomer = net.add("late", peers=["n1:7946"], replays=True)
    assert net.until(lambda: len(heard(newcomer)) == 5, 10)
    net.run(40)

    assert heard(newcomer) == [f"e{number}" for number in range(5)]
    assert all(len(heard(host)) == 5 for host in hosts)


def test_a_member_that_was_down_hears_what_it_missed_and_nothing_twice() -> None:
    """Its clocks are in serf.db: what it heard in its last run is not delivered again."""
    net = Net(4)
    hosts = net.cluster(4)
    fire(hosts[0], "before")
    net.run(2)
    net.kill(hosts[3])
    net.run(2)
    fire(hosts[1], "missed")
    net.run(5)
    hosts[3].start()
    assert net.until(lambda: "missed" in heard(hosts[3]), 10)
    fire(hosts[3], "after")
    net.run(40)

    assert all(heard(host) == ["before", "missed", "after"] for host in hosts)


def test_a_healed_partition_tells_each_side_what_the_other_heard() -> None:
    """The exchange after the healing finds that the digests differ; an exchange of two that know the same is small."""
    net = Net(5)
    hosts = net.cluster(6)
    net.split(hosts[:3], hosts[3:])
    fire(hosts[0], "left")
    fire(hosts[5], "right")
    net.run(60)
    assert not any("right" in heard(host) for host in hosts[:3])
    net.heal()

    assert net.until(lambda: all(sorted(heard(host)) == ["left", "right"] for host in hosts), 60)


def test_what_only_a_dead_run_has_said_does_not_hide_what_others_say() -> None:
    """A server that was cut off, told something, and was killed remembers a time that nobody else has heard of.

    When it is back the others learn of that time: an event or a query at it would be old to the server.
    """
    net = Net(6)
    hosts = net.cluster(3)
    net.split(hosts[:1], hosts[1:])
    fire(hosts[0], "to nobody")
    hosts[0].call(lambda now: hosts[0].core.ask_query(now, Query(0, 0, "", PING, b"", 0.0))[1])
    net.run(1)
    net.kill(hosts[0])
    net.heal()
    net.run(5)
    hosts[0].start()
    assert net.until(lambda: net.agree(hosts), 10)
    net.run(0.1)
    fire(hosts[1], "to all")
    hosts[1].call(lambda now: hosts[1].core.ask_query(now, Query(0, 0, "", PING, b"", 0.0))[1])

    assert net.until(lambda: all(heard(host)[-1:] == ["to all"] for host in hosts), 1)
    assert net.until(lambda: any(isinstance(effect, QueryDone) for _, effect in hosts[1].effects), 5)
    assert [effect.missing for _, effect in hosts[1].effects if isinstance(effect, QueryDone)] == [()]


def test_37_events_of_one_time_are_told_apart_by_what_they_say() -> None:
    """SameClock and OldMessage: same time and another name or payload are two events; the same is one; old is none."""
    me = Lone("peer")
    same = [UserEvent(7, "a", b"1"), UserEvent(7, "a", b"2"), UserEvent(7, "b", b"1")]
    effects = me.get(Gossip([], events=[*same, *same]))
    assert [e.event for e in effects if isinstance(e, EventHeard)] == same
    assert KeepClocks(events=7) in effects

    for ltime in range(8, 8 + KEPT_MAX):
        me.get(Gossip([], events=[UserEvent(ltime, "x", b"")]))
    assert not [e for e in me.get(Gossip([], events=[UserEvent(7, "c", b"")])) if isinstance(e, EventHeard)]


def test_claims_go_first() -> None:
    """A message is filled with what is known of members; an event takes what room is left, and its turn comes."""
    me = Lone(*"abcdefgh")
    me.wait(30)
    for letter in "abcdefgh":
        me.hear(claim(letter, incarnation=2, tags={"k": "v" * 200}), teller=letter)
    me.do(me.core.send_event(me.now, "deploy", b"x" * 400, coalesce=False)[1])
    gossip = [message for _, message in sent(me.wait(20), Gossip)]

    assert gossip[0].claims
    assert not gossip[0].events
    assert sum(len(message.events) for message in gossip) == LAN.retransmit_limit(9)


def test_a_flood_of_events_is_bounded() -> None:
    """The queue has a limit; what is dropped from it is counted, and still in the exchange for those who missed it."""
    me = Lone("peer")
    for number in range(2 * QUEUE_MAX):
        me.get(Gossip([], events=[UserEvent(number + 1, f"e{number}", b"")]))
    status = me.core.report.status(me.now)

    assert status["event_queue"] == QUEUE_MAX
    assert status["event_queue_dropped"] == QUEUE_MAX
    (answer,) = [message for _, message in sent(me.get(EventSync(0, 0, 0, [])), EventSync)]
    assert [event.name for event in answer.events] == [f"e{n}" for n in range(2 * QUEUE_MAX - KEPT_MAX, 2 * QUEUE_MAX)]


def test_who_sends_faster_than_gossip_can_tell_is_told_to_wait() -> None:
    """So nothing of its own is lost; when the queue has been told there is room again."""
    me = Lone("peer")
    for number in range(OWN_MAX):
        me.do(me.core.send_event(me.now, f"e{number}", b"", coalesce=False)[1])
    with pytest.raises(DispatchError, match="512 events and queries are still on their way"):
        me.core.send_event(me.now, "one more", b"", coalesce=False)
    assert me.core.report.status(me.now)["event_queue"] == OWN_MAX
    told = {event.name for _, message in sent(me.wait(10), Gossip) for event in message.events}
    assert told == {f"e{number}" for number in range(OWN_MAX)}

    assert me.core.send_event(me.now, "one more", b"", coalesce=False)


def test_a_server_that_is_alone_keeps_nothing_to_be_told() -> None:
    """It may send as many events as it likes; its own handlers hear them."""
    me = Lone()
    for number in range(2 * QUEUE_MAX):
        event, effects = me.core.send_event(me.now, f"e{number}", b"", coalesce=False)
        assert EventHeard(event) in effects
    assert me.core.report.status(me.now)["event_queue"] == 0


def test_two_that_heard_the_same_say_no_more() -> None:
    """The question of an exchange costs a digest; who missed something gets it, and gives what the other missed."""
    one, two = UserEvent(3, "a", b"1"), UserEvent(4, "b", b"2")
    me, same, other = Lone("peer"), Lone("peer"), Lone("peer")
    for core, events in ((me, [one, two]), (same, [one, two]), (other, [two, UserEvent(5, "c", b"3")])):
        core.get(Gossip([], events=events))
    question = sent(me.wait(LAN.push_pull_interval_s), EventSync)[0][1]

    assert (question.step, question.events) == (0, [])
    assert not sent(same.get(question), EventSync)
    (answer,) = [message for _, message in sent(other.get(question), EventSync)]
    assert [event.name for event in answer.events] == ["b", "c"]
    (rest,) = [message for _, message in sent(me.get(answer), EventSync)]
    assert rest.events == [one]
    assert not sent(other.get(rest), EventSync)


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("", b"", "1 to 128"),
        ("x" * 129, b"", "1 to 128"),
        ("a\nb", b"", "printed"),
        ("deploy", b"x" * EVENT_BYTES_MAX, "at most 512"),
        ("_quorate_ping", b"", "Quorate's own"),
    ],
)
def test_what_cannot_be_sent_is_said(name: str, payload: bytes, why: str) -> None:
    """The limits, each with its number; nothing is sent then."""
    me = Lone("peer")
    with pytest.raises(DispatchError, match=why):
        me.core.send_event(me.now, name, payload, coalesce=True)

    assert me.core.report.status(me.now)["event_queue"] == 0


def test_what_a_peer_must_not_send_is_dropped() -> None:
    """Counted and said once, however often it comes."""
    me = Lone("peer")
    bad = [UserEvent(2, "a", b"x" * 9000), UserEvent(-1, "a", b""), UserEvent(2**60, "a", b""), UserEvent(2, "", b"")]
    effects = [effect for _ in range(3) for effect in me.get(Gossip([], events=bad))]

    assert not [effect for effect in effects if isinstance(effect, EventHeard)]
    assert me.core.report.status(me.now)["counters"]["unsound events"] == 12
    assert notes(effects).count("at most 512") == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=120), st.integers(0, 2**32))
def test_nothing_is_new_twice(items: list[tuple[int, int]], seed: int) -> None:
    """Whatever the order and the limits: what made room never comes back, and the limits hold."""
    rng = random.Random(seed)
    recent: Recent[tuple[int, int]] = Recent(0, count_max=5, bytes_max=40)
    new = [item for item in items for _ in range(rng.randint(1, 2)) if recent.add(item[0], item[1], item, 10)]

    assert len(new) == len(set(new))
    kept = list(recent)
    assert [ltime for ltime, _ in kept] == sorted(ltime for ltime, _ in kept)
    assert len(kept) <= 5 or len({ltime for ltime, _ in kept}) == 1
