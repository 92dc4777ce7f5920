"""Joining and meeting again: who is let in, who is turned away, and that nobody stops trying."""

from __future__ import annotations

import pytest

from actors.gossip.effects import JoinDone, Note, Send
from actors.gossip.messages import Join, JoinRefused
from tests.unit.gossip.lone import Lone, claim, notes, sent
from tests.unit.gossip.simnet import Host, Net


@pytest.mark.parametrize("size", [2, 3, 5, 10, 30])
def test_servers_that_name_one_peer_find_together(size: int, seed: int) -> None:
    """A cluster forms well under two seconds, whatever its size here."""
    net = Net(seed)
    hosts = [net.add("n0", cluster_id="c0")]
    hosts += [net.add(f"n{number}", peers=["n0:7946"]) for number in range(1, size)]

    assert net.took(lambda: net.agree(hosts), 10) < 1.0
    assert {host.core.cluster_id for host in hosts} == {"c0"}


def test_a_chain_of_peers(seed: int) -> None:
    """Each names the one before it, and all start at once: those that have no cluster yet are asked again."""
    net = Net(seed)
    hosts = [net.add(f"n{number}", peers=[f"n{number - 1}:7946"]) for number in range(4, 0, -1)]
    hosts.append(net.add("n0", cluster_id="c0"))

    assert net.took(lambda: net.agree(hosts), 10) < 2.0
    assert "has not joined a cluster itself yet" in "".join(host.notes() for host in hosts)


def test_24_join_dead_node(seed: int) -> None:
    """A peer that takes everything and says nothing holds up a join only for a bounded time."""
    net = Net(seed)
    silent = net.add("silent", cluster_id="c0")
    silent.is_paused = True
    net.add("n0", cluster_id="c0")
    joiner = net.add("n1", peers=["silent:7946", "n0:7946"])

    assert net.took(lambda: joiner.core.cluster_id == "c0", 10) < 1.0


def test_no_peer_answers_and_no_cluster_is_started(seed: int) -> None:
    """It keeps trying, ever more slowly up to the limit, and says so; and it finds the peer when that comes up."""
    net = Net(seed)
    joiner = net.add("n1", peers=["n0:7946"])
    net.run(120)
    assert joiner.core.cluster_id == ""
    assert joiner.core.report.status(net.now)["join_state"] == "joining"
    assert joiner.core.report.status(net.now)["seeking"][0]["error"] == "no answer within 0.5 s"
    assert net.sent["gossip.join"] > 40
    assert len(joiner.notes().splitlines()) < 12

    net.add("n0", cluster_id="c0")

    assert net.took(lambda: net.agree(net.up()), 10) < 3.5


def test_rejoin_after_all_have_crashed(seed: int) -> None:
    """All are killed at once and started again without any peer: they remember each other."""
    net = Net(seed)
    hosts = net.cluster(3)
    for host in hosts:
        net.vanish(host)
        host.peers = ()
    net.run(30)

    for host in hosts:
        host.start()

    assert net.took(lambda: net.agree(hosts), 10) < 1.0


def test_rejoin_of_a_server_that_saw_all_others_fail(seed: int) -> None:
    """Failed members are remembered too (serf#333)."""
    net = Net(seed)
    hosts = net.cluster(3)
    net.split([hosts[0]], hosts[1:])
    net.took(lambda: net.see([hosts[0]], hosts[1], "failed") and net.see([hosts[0]], hosts[2], "failed"), 60)
    net.vanish(hosts[0])
    hosts[0].peers = ()
    net.heal()

    hosts[0].start()

    assert net.took(lambda: net.agree(hosts), 10) < 2.0


def test_a_restarted_server_is_not_shown_its_members_as_failed_at_once(seed: int) -> None:
    """They have not been heard yet: suspect, until they answer or time is up."""
    net = Net(seed)
    hosts = net.cluster(2)
    net.vanish(hosts[0])
    net.vanish(hosts[1])
    hosts[1].start()
    assert hosts[1].statuses() == {"n0": "suspect", "n1": "alive"}

    assert net.took(lambda: net.see([hosts[1]], hosts[0], "failed"), 30) < 5


def test_two_clusters_never_merge(seed: int) -> None:
    """A server of one cluster that is sent to another is turned away, and both say so and why."""
    net = Net(seed)
    ours = net.add("n0", cluster_id="c0")
    theirs = net.add("m0", cluster_id="c1")

    ours.call(ours.core.join, ["m0:7946"])
    net.run(30)

    assert (ours.statuses(), theirs.statuses()) == ({"n0": "alive"}, {"m0": "alive"})
    line = "n0 at n0:7946 belongs to cluster c0 and m0 at m0:7946 to cluster c1: two clusters never merge"
    assert f"refused to let n0:7946 in: {line}" in theirs.notes()
    assert f"m0:7946 refused this server: {line}" in ours.notes()
    (away,) = theirs.core.report.status(net.now)["turned_away"]
    assert (away["name"], away["address"], line in away["reason"]) == ("n0", "n0:7946", True)
    ((outcome,),) = [[effect for _, effect in ours.effects if isinstance(effect, JoinDone)]]
    assert line in outcome.reason


def test_peers_of_two_clusters(seed: int) -> None:
    """A new server that is told peers of two clusters joins the first that answers, and is no member of the other."""
    net = Net(seed)
    net.add("n0", cluster_id="c0")
    other = net.add("m0", cluster_id="c1")
    joiner = net.add("x", peers=["n0:7946", "m0:7946"])

    net.run(30)

    assert joiner.core.cluster_id == "c0"
    assert "x" not in other.statuses()
    assert "two clusters never merge" in joiner.notes()


def test_a_late_welcome_of_a_second_cluster_is_declined(seed: int) -> None:
    """Answers so slow that two clusters are asked: the second counts it as a member by then, and hears it is none."""
    net = Net(seed, delay_s=0.6)
    founders = [net.add("n0", cluster_id="c0"), net.add("m0", cluster_id="c1")]
    joiner = net.add("x", peers=["m0:7946", "n0:7946"])

    def settled() -> bool:
        return sorted(host.statuses().get("x", "") for host in founders) == ["alive", "left"]

    net.took(settled, 60)

    (declined,) = [host for host in founders if host.statuses()["x"] == "left"]
    assert f"x at x:7946 belongs to cluster {joiner.core.cluster_id}" in declined.notes()


def test_a_wiped_server_takes_its_old_place(seed: int) -> None:
    """Same name and address, new id, before anybody noticed the death: the address belongs to the newcomer."""
    net = Net(seed)
    hosts = net.cluster(3)
    net.vanish(hosts[2])
    wiped = net.add("n2", peers=["n0:7946"], member_id="id-new")

    # The old member is known by its id now that the name is another's.
    def settled() -> bool:
        views = [{member.id: member.status for member in host.core.report.members(net.now)} for host in net.up()]
        return all(view.get("id-n2", "failed") == "failed" and view.get("id-new") == "alive" for view in views)

    hosts[2].name = "former"
    assert net.took(settled, 10) < 2.0
    assert wiped.core.cluster_id == "c0"


def test_a_copied_data_directory(seed: int) -> None:
    """Two processes with one id: the second is turned away, with the reason."""
    net = Net(seed)
    hosts = net.cluster(2)
    copy = Host(net, "copy", cluster_id="c0", peers=["n1:7946"], member_id="id-n1")
    net.hosts["copy"] = copy

    copy.start()
    net.run(3)

    assert "one data directory is a copy of the other" in copy.notes() + hosts[1].notes()


def test_a_changed_address_is_an_update(seed: int) -> None:
    """A server that comes back elsewhere is the same member, with a higher incarnation."""
    net = Net(seed)
    hosts = net.cluster(3)
    net.vanish(hosts[2])
    hosts[2].address = "elsewhere:7946"
    hosts[2].start()

    def seen_there() -> bool:
        return all(host.core.report.named(net.now, "n2")[0].address == "elsewhere:7946" for host in hosts)

    assert net.took(seen_there, 10) < 1.0
    assert [status for host in hosts[:2] for _, _, status in host.changes(hosts[2])] == ["alive"] * 4


def test_joining_by_hand(seed: int) -> None:
    """join answers for every address: joined, this server itself, or why not."""
    net = Net(seed)
    host = net.add("n0", cluster_id="c0")
    other = net.add("n1", peers=["n0:7946"])
    net.took(lambda: net.agree([host, other]), 5)

    host.call(host.core.join, ["n0:7946", "n1:7946", "nobody:1"])
    net.run(10)

    done = {effect.address: effect.reason for _, effect in host.effects if isinstance(effect, JoinDone)}
    assert done == {
        "n0:7946": "that is this server itself",
        "n1:7946": "",
        "nobody:1": "no answer within 0.5 s",
    }


def test_a_hint_that_is_this_server_itself_by_another_name() -> None:
    """It asks itself once and knows then."""
    lone = Lone()
    effects = lone.do(lone.core.join(lone.now, ["alias:1"]))
    ((_, join),) = sent(effects, Join)
    ((_, refusal),) = sent(lone.get(join, "me"), JoinRefused)

    effects = lone.get(refusal, "me")

    assert [effect for effect in effects if isinstance(effect, JoinDone)] == [
        JoinDone("alias:1", "refused: that is this server itself")
    ]
    assert sent(lone.wait(60), Join) == []


def test_a_refused_connection_ends_an_attempt() -> None:
    """No need to wait for an answer from a port nobody listens on."""
    lone = Lone(cluster_id="")
    lone.do(lone.core.join(lone.now, ["a:1"]))

    lone.evidence("a:1")

    assert lone.core.report.status(lone.now)["seeking"][0]["error"] == "connection refused"
    assert sent(lone.wait(1), Join)


def test_what_the_links_know_is_why_nobody_answers() -> None:
    """An unknown name, another key: it ends no attempt, for the link may yet come up, and is said at its end."""
    lone = Lone(cluster_id="")
    lone.do(lone.core.join(lone.now, ["a:1"]))

    lone.core.no_link("a:1", "Name or service not known")
    lone.core.no_link("b:1", "nobody looks for it")

    (seek,) = lone.core.report.status(lone.now)["seeking"]
    assert (seek["attempts"], seek["next_try_s"]) == (1, None)
    assert JoinDone("a:1", "Name or service not known") in lone.wait(10)
    assert "no way to a:1 yet (Name or service not known), attempt 1;" in notes(lone.effects)


def test_why_there_is_no_link_is_no_evidence() -> None:
    """A name that does not resolve here says nothing of the server behind it."""
    lone = Lone("a", "b")

    lone.core.no_link("a:1", "Name or service not known")
    lone.wait(0.1)

    assert lone.status("a") == "alive"


def test_what_the_links_do_not_take_is_tried_again_soon() -> None:
    """And the reason known before is not lost to it."""
    lone = Lone(cluster_id="")
    lone.do(lone.core.join(lone.now, ["a:1"]))
    lone.evidence("a:1")
    lone.wait(1)

    lone.do(lone.core.undelivered(lone.now, "a:1"))

    assert lone.core.report.status(lone.now)["seeking"][0]["error"] == "connection refused"


def test_an_unsound_join_is_refused() -> None:
    """Somebody who speaks for another server, or of nothing sensible."""
    lone = Lone()

    ((_, forged),) = sent(lone.get(Join(1, "", claim("a")), "b"), JoinRefused)
    ((_, nameless),) = sent(lone.get(Join(1, "", claim("a", -1)), "a"), JoinRefused)

    assert (forged.reason, nameless.reason) == ("the claim is about another server", "a counter is out of range")
    assert notes(lone.effects).count("refused to let") == 2


def test_a_peer_that_is_this_server_itself() -> None:
    """It is ignored, and the log says so, without a warning: the same line may be every server's."""
    lone = Lone(cluster_id="")

    effects = lone.do(lone.core.start(lone.now, hints=["me:1"], remembered=()))

    assert Note(20, "peer me:1 is this server itself, and is ignored") in effects
    assert sent(lone.wait(30), Join) == []


def test_a_newcomer_passes_on_nothing_of_what_it_is_told() -> None:
    """However many parts the state of a large cluster has: it would tell each of thousands what they all know."""
    host, newcomer = Lone(*[f"n{number}" for number in range(1200)]), Lone(name="new", cluster_id="")
    ((_, join),) = sent(newcomer.do(newcomer.core.join(newcomer.now, ["me:1"])), Join)

    for effect in host.get(join, "new"):
        if isinstance(effect, Send):
            newcomer.get(effect.message, "me")

    assert len(newcomer.core.report.members(newcomer.now)) == 1202
    assert newcomer.core.report.status(newcomer.now)["queue"] == 1
