"""One name, one live server (docs/membership-cases.md, S39): who is turned away, who yields, and that all say so."""

from __future__ import annotations

import random
import re

import pytest
from msgspec.structs import replace

from actors.gossip.config import LAN
from actors.gossip.effects import End
from actors.gossip.messages import NameAnswer, NameAsk
from actors.gossip.roster import FLICKER_S
from tests.unit.gossip.lone import DEAD, LEFT, Lone, claim, notes, sent
from tests.unit.gossip.simnet import Host, Net

CHAOS_RUNS = 8


def add(net: Net, name: str, *peers: str, host: str, id_: str) -> Host:
    """A server of that name at another host, started at once. Ids decide ties."""
    twin = Host(net, name, cluster_id="", peers=peers, member_id=id_)
    twin.address = f"{host}:7946"
    net.hosts[host] = twin
    twin.start()
    return twin


def ends(host: Host) -> list[str]:
    """Why its process ended, if gossip ended it."""
    return [effect.reason for _, effect in host.effects if isinstance(effect, End)]


def all_see(observers: list[Host], alive: list[Host]) -> bool:
    """Whether each of these sees exactly these alive: names do not tell them apart here."""
    ids = {host.id for host in alive}
    return all(
        {m.id for m in host.core.report.members(host.net.now) if m.status == "alive"} == ids for host in observers
    )


def bearers(net: Net, name: str) -> list[Host]:
    """The servers of a name that run."""
    return [host for host in net.up() if host.name == name]


def test_39_a_second_live_server_of_a_name_is_refused(seed: int) -> None:
    """It ends within seconds, with one line that says what to do; the member that refused it says the same."""
    net = Net(seed)
    hosts = net.cluster(3)

    twin = add(net, "n2", "n0:7946", host="twin", id_="id-twin")

    assert net.took(lambda: not twin.is_up, 5) < 2.0
    line = (
        "the name n2 is taken by id-n2 at n2:7946, which is alive. Start twin:7946 with another --name, or stop the "
        "other server"
    )
    assert ends(twin) == [line]
    assert f"refused to let twin:7946 in: {line}" in hosts[0].notes()
    assert twin.core.cluster_id == ""
    net.run(5)
    assert all(host.statuses() == {"n0": "alive", "n1": "alive", "n2": "alive"} for host in hosts)


@pytest.mark.parametrize("status", ["failed", "left"])
def test_4_the_name_of_one_that_is_gone_is_free(status: str, seed: int) -> None:
    """At once, and the newcomer is another member."""
    net = Net(seed)
    hosts = net.cluster(3)
    if status == "left":
        hosts[2].call(hosts[2].core.leave, "left")
    net.took(lambda: status == "failed" or net.see(hosts[:2], hosts[2], "left"), 10)
    net.kill(hosts[2])
    net.took(lambda: net.see(hosts[:2], hosts[2], status), 10)

    add(net, "n2", "n0:7946", host="twin", id_="id-twin")

    assert net.took(lambda: all(h.core.report.named(net.now, "n2")[0].id == "id-twin" for h in net.up()), 5) < 0.5
    assert hosts[0].core.report.named(net.now, "id-n2")[0].status == status


@pytest.mark.parametrize("death", ["kill", "vanish"])
def test_a_successor_that_comes_before_the_death_is_known(death: str, seed: int) -> None:
    """Nobody is turned away for a name whose bearer does not answer: the newcomer waits until it has failed."""
    net = Net(seed)
    hosts = net.cluster(4)
    if death == "kill":
        net.kill(hosts[3])
    else:
        net.vanish(hosts[3])

    twin = add(net, "n3", "n0:7946", host="twin", id_="id-twin")

    net.took(lambda: twin.core.cluster_id == "c0", 30)
    assert (
        death == "kill"
        or "taken by id-n3 at n3:7946, which is alive, and is asked whether it still lives" in twin.notes()
    )
    net.run(10)
    assert twin.is_up


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("run", range(2))
def test_two_namesakes_at_once_through_different_members(size: int, run: int, seed: int) -> None:
    """Each is let in before the news of the other arrives. One yields, and says so; the other stays."""
    net = Net(seed + run)
    hosts = net.cluster(size)

    twins = [add(net, "x", f"n{i}:7946", host=f"x{i}", id_=f"id-x{i}") for i in range(2)]

    net.took(lambda: len(bearers(net, "x")) == 1, 20)
    net.run(30)
    (stays,) = bearers(net, "x")
    (yielded,) = [twin for twin in twins if twin is not stays]
    assert stays.id in ends(yielded)[0]
    assert "--name" in ends(yielded)[0]
    assert all_see(net.up(), [*hosts, stays])


def test_an_old_process_whose_name_was_taken_yields(seed: int) -> None:
    """It was stopped (SIGSTOP), given up, and replaced. When it goes on it finds that out, and ends."""
    net = Net(seed)
    hosts = net.cluster(4)
    old = hosts[3]
    old.is_paused = True
    net.took(lambda: net.see(hosts[:3], old, "failed"), 20)
    twin = add(net, "n3", "n0:7946", host="twin", id_="id-twin")
    net.took(lambda: all(h.core.report.named(net.now, "n3")[0].id == "id-twin" for h in hosts[:3]), 5)
    net.run(30)

    old.resume()

    net.took(lambda: not old.is_up, 30)
    assert "the name n3 belongs to id-twin at twin:7946, and this server yields: 0 of 3 members know" in ends(old)[0]
    assert "it keeps its id and its data" in ends(old)[0]
    net.run(30)
    assert twin.is_up
    assert "two live servers are named n3" in hosts[0].notes()


def test_an_old_server_that_is_started_again_after_its_name_was_taken(seed: int) -> None:
    """Nobody lets it in under that name; under another one it is the same member as before."""
    net = Net(seed)
    hosts = net.cluster(4)
    old = hosts[3]
    net.kill(old)
    net.took(lambda: net.see(hosts[:3], old, "failed"), 20)
    add(net, "n3", "n0:7946", host="twin", id_="id-twin")
    net.run(5)

    old.start()
    net.took(lambda: not old.is_up, 30)

    assert re.search("the name n3 (is taken by|belongs to) id-twin", ends(old)[0])
    old.name = "n4"
    old.start()
    net.took(lambda: net.see(hosts[:3], old, "alive"), 10)
    assert hosts[0].core.report.named(net.now, "n4")[0].id == "id-n3"


def test_a_member_that_comes_back_under_a_taken_name(seed: int) -> None:
    """Killed and started again with another's --name before anybody noticed: refused, like a newcomer."""
    net = Net(seed)
    hosts = net.cluster(3)
    net.vanish(hosts[2])
    hosts[2].name = "n1"

    hosts[2].start()

    net.took(lambda: not hosts[2].is_up, 30)
    assert re.search("the name n1 (is taken by|belongs to) id-n1", ends(hosts[2])[0])
    net.run(10)
    assert hosts[1].is_up


@pytest.mark.parametrize(("left", "right", "stays"), [(3, 2, "n1"), (2, 3, "twin"), (2, 2, "tie")])
def test_a_healed_partition_with_two_namesakes(left: int, right: int, stays: str, seed: int) -> None:
    """The old bearer is on the left, a new one came on the right: whom more members know stays, on a tie the lower id.

    The sizes count everybody on a side but the bearer.
    """
    net = Net(seed)
    hosts = net.cluster(1 + left + right)
    old, lefts, rights = hosts[1], [hosts[0], *hosts[2 : left + 1]], hosts[left + 1 :]
    net.split([old, *lefts], rights)
    net.took(lambda: net.see(rights, old, "failed"), 30)
    net.run(2)
    twin = add(net, "n1", rights[0].address, host="twin", id_="id-a")
    net.split([old, *lefts], [*rights, twin])
    net.took(lambda: all_see(rights, [*rights, twin]), 10)

    net.heal()

    expected = {"n1": old, "twin": twin, "tie": twin}[stays]
    net.took(lambda: bearers(net, "n1") == [expected], 60)
    net.run(30)
    assert all_see(net.up(), [hosts[0], *hosts[2:], expected])
    loser = old if expected is twin else twin
    assert f"the name n1 belongs to {expected.id}" in ends(loser)[0]
    assert (
        f"{loser.id} at {loser.address} should yield" in expected.notes() or "has this server's name" in loser.notes()
    )


@pytest.mark.parametrize("run", range(CHAOS_RUNS))
def test_chaos_leaves_one_server_to_a_name(run: int, seed: int) -> None:
    """Namesakes come on every side of partitions and restarts, under loss: a name has one live server in the end."""
    rng = random.Random(seed + run)
    net = Net(seed + run, loss=rng.choice([0, 0.05]))
    hosts = net.cluster(rng.randint(3, 6))
    for number in range(rng.randint(1, 3)):
        sides = rng.sample(net.up(), len(net.up()))
        if len(sides) == 1:
            break
        at = rng.randint(1, len(sides) - 1)
        net.split(sides[:at], sides[at:])
        net.run(rng.choice([0.1, 1, 10]))
        if rng.random() < 0.5:
            (net.kill if rng.random() < 0.5 else net.vanish)(rng.choice(hosts))
        peers = rng.sample(members := [h for h in net.up() if h.core.cluster_id], len(members))
        addresses = [peer.address for peer in peers]
        twin = add(net, rng.choice(hosts).name, *addresses, host=f"twin{number}", id_=f"id-{rng.random()}")
        near = rng.choice([sides[:at], sides[at:]])
        net.split([twin], [host for host in sides if host not in near])
        net.run(rng.choice([0.1, 1, 10]))
        net.heal()
        net.run(rng.choice([0, 1, 10]))
    net.loss = 0
    before = {host.name for host in net.up() if host.core.cluster_id}

    def settled() -> bool:
        # Who came later and knows only of some that are gone waits for them.
        members = {host.address for host in net.up() if host.core.cluster_id}
        hosts = [host for host in net.up() if members.intersection([host.address, *host.peers])]
        names = [host.name for host in hosts]
        return len(set(names)) == len(names) and all_see(hosts, hosts)

    net.took(settled, 120)

    net.run(60)
    assert settled()
    assert {host.name for host in net.up()} >= before


def test_two_sides_meet_although_everybody_has_a_namesake_on_the_other(seed: int) -> None:
    """Each side has replaced those whom it could not see: nobody can be let in by a name that nobody else has."""
    net = Net(seed)
    founder, one, two = net.cluster(3)
    net.kill(founder)
    net.split([one], [two])
    net.took(lambda: net.see([one], two, "failed") and net.see([two], one, "failed"), 60)
    net.run(2 * FLICKER_S)
    twins = [
        add(net, other.name, host.address, host=f"twin-{other.name}", id_=f"id-twin-{other.name}")
        for host, other in ((one, two), (two, one))
    ]
    net.split([one, twins[0]], [two, twins[1]])
    net.took(lambda: all(twin.core.cluster_id for twin in twins), 60)
    net.run(60)  # by then nobody gossips to the dead any more, which would bring the sides together

    net.heal()

    net.took(lambda: sorted(host.name for host in net.up()) == ["n1", "n2"] and all_see(net.up(), net.up()), 120)


def test_the_last_two_settle_it_by_their_ids() -> None:
    """Nobody is there to be asked: the higher id yields, and the lower one stays and says so."""
    low, high = Lone(), Lone()
    for lone, id_ in ((low, "id-z"), (high, "id-a")):
        lone.hear(replace(claim("me", address="elsewhere:1"), id=id_))
        lone.wait(3 * LAN.join_timeout_s)

    assert "this server stays me" in notes(low.effects)
    (reason,) = [effect.reason for effect in high.effects if isinstance(effect, End)]
    assert reason.startswith("the name me belongs to id-a at elsewhere:1, and this server yields: 0 of 0 members")


def test_lost_answers_are_asked_for_again_and_decide_nothing() -> None:
    """As long as those who have not answered could turn it, nobody yields."""
    lone = Lone("b", "c")
    lone.hear(replace(claim("me", address="elsewhere:1"), id="id-a"))

    effects = lone.wait(30)

    assert not [effect for effect in effects if isinstance(effect, End)]
    assert len(sent(effects, NameAsk)) > 20
    assert {address for address, _ in sent(effects, NameAsk)} == {"b:1", "c:1"}


def test_whom_a_member_knows_under_a_name() -> None:
    """The one first seen alive; a failure of a moment loses no place, and a longer one, a leave and a new name do."""
    lone = Lone("b", "c")
    lone.hear(replace(claim("b", address="twin:1"), id="id-twin"))

    def bearer() -> str:
        ((_, answer),) = sent(lone.get(NameAsk(1, "b"), "c"), NameAnswer)
        return answer.holder

    assert bearer() == "id-b"
    lone.hear(claim("b", liveness=DEAD, accusers=("c", "d")))
    assert bearer() == "id-twin"
    lone.hear(claim("b", 2))
    assert bearer() == "id-b"
    lone.hear(claim("b", 2, liveness=DEAD, accusers=("c", "d")))
    lone.wait(2)
    lone.hear(claim("b", 3))
    assert bearer() == "id-twin"
    lone.hear(replace(claim("b", lamport=9, intent=LEFT, address="twin:1"), id="id-twin"))
    assert bearer() == "id-b"
    lone.hear(replace(claim("other", 4, address="b:1"), id="id-b"))
    assert bearer() == ""
