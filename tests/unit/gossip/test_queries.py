"""Queries in a simulated cluster: who is asked, who acknowledges, who answers, and when the asker stops waiting.

docs/membership-cases.md, S38 (Query_Deduplicate, Filter, sizeLimit, Passthrough), and what users of Serf complain
about: replies are single packets and get lost (serf#407), a query always takes its whole timeout.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace as evolve

from actors.gossip.config import LAN, LOCAL, WAN, GossipConfig
from actors.gossip.dispatches import ANSWER_BYTES_MAX, PING, QUERY_BYTES_MAX, Query, QueryRelay, QueryReply
from actors.gossip.effects import QueryDone, QueryHeard, QueryReplied
from actors.gossip.messages import Gossip
from actors.gossip.queries import ASKED_MAX
from actors.gossip.user_events import DispatchError
from tests.unit.gossip.lone import ME, Lone, claim, sent
from tests.unit.gossip.simnet import Host, Net


def wanted(
    name: str,
    payload: bytes = b"",
    *,
    timeout_s: float = 0.0,
    nodes: Iterable[str] = (),
    tags: dict[str, str] | None = None,
    ack: bool = True,
    relays: int = 0,
) -> Query:
    """A question before it has an id."""
    return Query(0, 0, "", name, payload, timeout_s, tuple(nodes), tags or {}, ack, relays)


def ask(host: Host, query: Query) -> None:
    """A server asks."""
    host.call(lambda now: host.core.ask_query(now, query)[1])


def answer(host: Host, payload: bytes) -> str:
    """A server answers what it heard last."""
    last = [e.query for _, e in host.effects if isinstance(e, QueryHeard)][-1]
    fault, effects = host.core.answer_query(host.net.now, last.id, payload, "")
    host.carry_out(effects)
    return fault


def replies(host: Host, *, is_ack: bool) -> list[tuple[str, bytes]]:
    """(member id, payload) of the replies to a server's queries, by member."""
    found = [e for _, e in host.effects if isinstance(e, QueryReplied) and e.is_ack is is_ack]
    return sorted((e.member_id, e.payload) for e in found)


def done(host: Host) -> list[QueryDone]:
    """The ends of a server's queries."""
    return [e for _, e in host.effects if isinstance(e, QueryDone)]


def questions(host: Host) -> int:
    """How many queries a server was asked to answer."""
    return sum(isinstance(e, QueryHeard) for _, e in host.effects)


def test_all_acknowledge_and_those_who_can_answer() -> None:
    """The asker too; each is asked once; the end comes with the last answer, long before the timeout."""
    net = Net(1, LAN)
    hosts = net.cluster(12)
    for host in hosts[:3]:
        host.answers = {"load"}
    ask(hosts[5], wanted("load", b"1m"))
    assert net.until(lambda: all(questions(host) == 1 for host in hosts), 3)
    assert not done(hosts[5])
    for host in hosts[:3]:
        assert answer(host, host.name.encode()) == ""
        assert answer(host, b"again") != ""
    assert net.until(lambda: bool(done(hosts[5])), 1)

    assert done(hosts[5])[0].missing == ()
    assert replies(hosts[5], is_ack=True) == sorted((host.id, b"") for host in hosts)
    assert replies(hosts[5], is_ack=False) == [("id-n0", b"n0"), ("id-n1", b"n1"), ("id-n2", b"n2")]
    net.run(60)
    assert all(questions(host) == 1 for host in hosts)


def test_38_an_internal_query_passes_by_the_handlers() -> None:
    """S38, Passthrough: no handler hears of an internal query; one that is not known is nobody's."""
    net = Net(2)
    hosts = net.cluster(4)
    began = net.now
    ask(hosts[0], wanted(PING))
    assert net.until(lambda: bool(done(hosts[0])), 2)
    me = Lone("peer")
    effects = me.get(Gossip([], queries=[Query(5, 9, "id-peer", "_quorate_unknown", b"", 1.0)]))

    assert done(hosts[0])[0].missing == ()
    assert net.now - began < LOCAL.query_s(4)
    assert all(questions(host) == 0 for host in hosts)
    assert not [effect for effect in effects if isinstance(effect, QueryHeard)]


def test_a_silent_member_is_named_when_time_is_up() -> None:
    """Whoever is paused has not acknowledged; the query takes its timeout then, and no longer."""
    net = Net(3, LAN)
    hosts = net.cluster(5)
    hosts[2].is_paused = True
    ask(hosts[0], wanted(PING))
    took = net.took(lambda: bool(done(hosts[0])), 10)

    assert done(hosts[0])[0].missing == ("id-n2",)
    assert took == pytest.approx(LAN.query_s(5), abs=0.1)


@pytest.mark.parametrize(("config", "n", "seconds"), [(LAN, 9, 3.2), (LAN, 99, 6.4), (LAN, 999, 9.6), (WAN, 9, 8.0)])
def test_the_timeout_is_serfs(config: GossipConfig, n: int, seconds: float) -> None:
    """gossip_interval * 16 * ceil(log10(n + 1))."""
    assert config.query_s(n) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        (wanted("q", nodes=["n1", "n3"]), ["n1", "n3"]),
        (wanted("q", nodes=["id-n2", "nobody"]), ["n2"]),
        (wanted("q", tags={"role": "db|cache"}), ["n1", "n2"]),
        (wanted("q", tags={"role": "d.*", "zone": "[ab]"}), ["n1"]),
        (wanted("q", nodes=["n2"], tags={"role": "db"}), []),
        (wanted("q", tags={"nothing": ".*"}), []),
    ],
)
def test_38_filters(query: Query, meant: list[str]) -> None:
    """Any of the names, and all of the tags, whose patterns stand for the whole value."""
    tags = {"n1": {"role": "db", "zone": "a"}, "n2": {"role": "cache", "zone": "a"}, "n3": {"role": "web"}}
    asked = []
    for name in ("n1", "n2", "n3"):
        me = Lone("peer", name=name, tags=tags[name])
        effects = me.get(Gossip([], queries=[evolve(query, ltime=5, id=9, origin="id-peer", timeout_s=1.0)]))
        heard = any(isinstance(effect, QueryHeard) for effect in effects)
        assert heard is bool(sent(effects, QueryReply))
        asked += [name] if heard else []

    assert asked == meant


def test_the_asker_knows_whom_its_filters_mean() -> None:
    """It waits for their acknowledgements, not for everybody's."""
    me = Lone("peer")
    me.hear(claim("db", tags={"role": "db"}), claim("web", tags={"role": "web"}))
    asked, effects = me.core.ask_query(me.now, wanted("q", tags={"role": "db"}))
    assert asked.expected == {"id-db"}
    assert not [effect for effect in effects if isinstance(effect, QueryHeard)]
    effects = me.get(QueryReply(asked.query.id, "id-db", is_ack=True), "db")

    assert [effect for effect in effects if isinstance(effect, QueryDone)] == [QueryDone(asked.query.id, ())]


def test_38_a_query_is_asked_once() -> None:
    """Deduplicate: however often it comes, also after its time; two of one time and other ids are two."""
    me = Lone("peer")
    query = Query(5, 9, "id-peer", "q", b"", 1.0)
    effects = [*me.get(Gossip([], queries=[query, query])), *me.wait(30), *me.get(Gossip([], queries=[query]))]
    effects += me.get(Gossip([], queries=[evolve(query, id=10)]))

    assert [e.query.id for e in effects if isinstance(e, QueryHeard)] == [9, 10]


def test_a_restart_answers_no_query_again() -> None:
    """The clock of queries is kept as that of events is; a newcomer is asked nothing that was before it."""
    net = Net(6)
    hosts = net.cluster(3)
    ask(hosts[0], wanted("q"))
    net.run(1)
    net.kill(hosts[2])
    net.run(1)
    hosts[2].start()
    newcomer = net.add("late", peers=["n1:7946"])
    net.run(40)

    assert questions(hosts[2]) == 1
    assert questions(newcomer) == 0


def test_relays_carry_answers_where_the_straight_way_is_cut() -> None:
    """serf#407: without them the reply of a member that cannot reach the asker is lost."""
    for relays, missing in ((0, ("id-n1",)), (3, ())):
        net = Net(7, LAN)
        hosts = net.cluster(5)
        net.cut(hosts[1], hosts[0])
        ask(hosts[0], wanted(PING, relays=relays))
        assert net.until(lambda: bool(done(hosts[0])), 10)  # noqa: B023
        assert done(hosts[0])[0].missing == missing
        acks = replies(hosts[0], is_ack=True)
        assert len(acks) == len(set(acks)) == 5 - len(missing)


def test_no_ack_waits_for_answers_alone() -> None:
    """Nobody is missing then, and the whole timeout is waited for."""
    net = Net(8, LAN)
    hosts = net.cluster(3)
    ask(hosts[0], wanted("q", ack=False, timeout_s=1.5))
    net.run(0.5)
    answer(hosts[1], b"yes")
    took = net.took(lambda: bool(done(hosts[0])), 10)

    assert took == pytest.approx(1.0, abs=0.1)
    assert replies(hosts[0], is_ack=True) == []
    assert replies(hosts[0], is_ack=False) == [("id-n1", b"yes")]


def test_38_size_limits() -> None:
    """Of a question it is said before it is sent; in place of an answer that is too long the asker gets the reason."""
    me = Lone("peer")
    with pytest.raises(DispatchError, match="at most 1024"):
        me.core.ask_query(me.now, wanted("q", b"x" * QUERY_BYTES_MAX))
    net = Net(9)
    hosts = net.cluster(2)
    hosts[1].answers = {"q"}
    ask(hosts[0], wanted("q"))
    assert net.until(lambda: questions(hosts[1]) == 1, 5)
    assert "1025 bytes" in answer(hosts[1], b"x" * (ANSWER_BYTES_MAX + 1))
    assert net.until(lambda: bool(done(hosts[0])), 5)
    (reply,) = [e for _, e in hosts[0].effects if isinstance(e, QueryReplied) and not e.is_ack]

    assert (reply.payload, "1025 bytes" in reply.error) == (b"", True)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (wanted("q", tags={"role": "(a"}), "not closed"),
        (wanted("q", relays=9), "relay factor"),
        (wanted("q", timeout_s=1e9), "timeout"),
        (wanted("q", timeout_s=float("nan")), "timeout"),
        (wanted("q", nodes=[f"n{n}" for n in range(65)]), "64 filters"),
        (wanted("_quorate_x"), "Quorate's own"),
        (wanted(""), "1 to 128"),
        (wanted("q", nodes=["peer", "nobody"]), "^no member is called 'nobody'; 'members' lists them$"),
    ],
)
def test_what_cannot_be_asked_is_said(query: Query, why: str) -> None:
    """One line that names the limit."""
    me = Lone("peer")
    with pytest.raises(DispatchError, match=why):
        me.core.ask_query(me.now, query)


def test_a_server_without_a_cluster_asks_nobody() -> None:
    """It would be told to nobody, and lost without a word."""
    me = Lone(cluster_id="")
    with pytest.raises(DispatchError, match="not joined a cluster yet"):
        me.core.ask_query(me.now, wanted("q"))
    with pytest.raises(DispatchError, match="not joined a cluster yet"):
        me.core.send_event(me.now, "deploy", b"", coalesce=False)


def test_only_so_many_queries_wait() -> None:
    """One more is refused; when their time is up there is room again."""
    me = Lone("peer")
    for _ in range(ASKED_MAX):
        me.core.ask_query(me.now, wanted("q"))
    with pytest.raises(DispatchError, match="try again later"):
        me.core.ask_query(me.now, wanted("q"))
    me.wait(10)

    assert me.core.ask_query(me.now, wanted("q"))


def test_replies_and_relays_of_nobodys_are_ignored() -> None:
    """Of strangers, to queries that are over, too long, for members that are not there: counted, no more."""
    me = Lone("peer")
    asked, _ = me.core.ask_query(me.now, wanted("q"))
    number = asked.query.id
    for reply in (
        QueryReply(number + 1, "id-peer", is_ack=True),
        QueryReply(number, "id-nobody", is_ack=True),
        QueryReply(number, "id-peer", is_ack=False, payload=b"x" * 2000),
    ):
        assert not [e for e in me.get(reply) if isinstance(e, QueryReplied)]
        assert not sent(me.get(QueryRelay("id-nobody", reply)), QueryReply)
    counters = me.core.report.status(me.now)["counters"]
    assert (counters["ignored query replies"], counters["ignored query relays"]) == (3, 3)
    assert [
        e for e in me.get(QueryRelay(ME, QueryReply(number, "id-peer", is_ack=True))) if isinstance(e, QueryReplied)
    ]


def test_a_stall_takes_nothing_from_the_time_for_answers() -> None:
    """The replies are in the mailbox of a process that stood still."""
    me = Lone("peer")
    me.wait(5)
    _, effects = me.core.ask_query(me.now, wanted("q", timeout_s=2.0))
    me.do(effects)
    me.now += 60
    effects = me.do(me.core.tick(me.now))
    assert not [effect for effect in effects if isinstance(effect, QueryDone)]

    assert [effect for effect in me.wait(2.5) if isinstance(effect, QueryDone)]
