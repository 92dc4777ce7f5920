"""Starting one cluster together (cases B): all or nobody, and never two."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.gossip.effects import Found
from actors.gossip.member import Claim
from actors.gossip.messages import Muster
from actors.gossip.shared import Source
from tests.unit.gossip.simnet import Host, Net

SEEDS = range(12)


def address(name: str) -> str:
    """Where a host listens."""
    return f"{name}:7946"


def equals(net: Net, names: str, expect: int = 3) -> list[Host]:
    """Hosts with one letter each, started with the same line: all of them as peers, themselves too."""
    peers = [address(name) for name in names]
    return [net.add(name, peers=peers, expect=expect) for name in names]


def founded(host: Host) -> list[Found]:
    """What a host has founded."""
    return [effect for _, effect in host.effects if isinstance(effect, Found)]


def clusters(hosts: list[Host]) -> set[str]:
    """The clusters they belong to, "" for none."""
    return {host.disk.cluster_id for host in hosts}


@pytest.mark.parametrize("seed", SEEDS)
def test_b1_no_cluster_with_one_or_two_and_one_with_three(seed: int) -> None:
    """B1: expect 3: nothing with one, nothing with two, and with three one cluster of three [BootstrapExpect]."""
    net = Net(seed, loss=0.05 if seed % 2 else 0.0)
    peers = [address(name) for name in "abc"]
    hosts = []
    for name in "ab":
        hosts.append(net.add(name, peers=peers, expect=3))
        net.run(20)
        assert clusters(hosts) == {""}
    hosts.append(net.add("c", peers=peers, expect=3))

    assert net.until(lambda: net.agree(hosts), 10)
    (cluster,) = clusters(hosts)
    sets = [found for host in hosts for found in founded(host)]
    assert {found.cluster_id for found in sets} == {cluster}
    assert {tuple(sorted(one.name for one in found.members)) for found in sets} == {("a", "b", "c")}


@pytest.mark.parametrize("size", [2, 5, 9])
def test_b1_any_number(size: int) -> None:
    """B1: two, five and nine, started at the same time, are one cluster within a second or two."""
    net = Net(size)
    hosts = equals(net, "abcdefghi"[:size], size)

    assert net.until(lambda: net.agree(hosts), 5)
    assert len(clusters(hosts)) == 1


def test_b2_a_fourth_joins_and_founds_nothing() -> None:
    """B2: with the same option it finds that there is a cluster, and joins."""
    net = Net(1)
    hosts = equals(net, "abc")
    assert net.until(lambda: net.agree(hosts), 10)
    hosts.append(net.add("d", peers=[host.address for host in hosts], expect=3))

    assert net.until(lambda: net.agree(hosts), 10)
    assert founded(hosts[3]) == []
    assert len(clusters(hosts)) == 1


def test_b2_a_fourth_that_is_early_waits_and_joins() -> None:
    """B2: it is in nobody's set, so the three found without it."""
    net = Net(2)
    late = net.add("d", peers=[address(name) for name in "abc"], expect=3)
    net.run(5)
    hosts = equals(net, "abc")

    assert net.until(lambda: net.agree([*hosts, late]), 20)
    assert founded(late) == []


def test_b3_different_numbers_start_nothing_and_both_say_so() -> None:
    """B3: expect 2 and expect 3 [BadExpect]."""
    net = Net(3)
    one = net.add("a", peers=[address("b")], expect=2)
    other = net.add("b", peers=[address("a"), address("c")], expect=3)
    net.run(20)

    assert clusters([one, other]) == {""}
    assert "b at b:7946 expects 3 servers and this server expects 2" in one.notes()
    assert "a at a:7946 expects 2 servers and this server expects 3" in other.notes()
    assert one.core.report.status(net.now)["mustering"] == ["b:7946: expects 3 servers, not 2"]


def test_b3_more_servers_than_expected_start_nothing() -> None:
    """B3: four are named and three expected: nobody chooses three of them."""
    net = Net(3)
    hosts = equals(net, "abcd", 3)
    net.run(20)

    assert clusters(hosts) == {""}
    assert "4 servers are named and 3 are expected" in hosts[0].notes()


def test_b5_without_the_option_nothing_is_founded() -> None:
    """B5: whoever was started to join waits for a cluster, and the others are told."""
    net = Net(4)
    joiner = net.add("a", peers=[address("b")])
    other = net.add("b", peers=[address("a")], expect=2)
    net.run(20)

    assert clusters([joiner, other]) == {""}
    assert "a at a:7946 was started without --bootstrap-expect" in other.notes()


def test_b7_a_server_with_data_ignores_it() -> None:
    """B7: it looks for the cluster it knew, and founds nothing."""
    net = Net(5)
    hosts = equals(net, "abc")
    assert net.until(lambda: net.agree(hosts), 10)
    before = clusters(hosts)
    for host in hosts:
        net.kill(host)
    for host in hosts:
        host.start()
    assert net.until(lambda: net.agree(hosts), 30)

    assert clusters(hosts) == before
    assert all(len(founded(host)) <= 1 for host in hosts)


def test_b8_a_peer_that_has_a_cluster_lets_the_others_in() -> None:
    """B8: it does not muster, so nobody founds; and it answers who asks to join."""
    net = Net(6)
    old = net.add("a", cluster_id="c0")
    hosts = [old, *(net.add(name, peers=[address(n) for n in "abc"], expect=3) for name in "bc")]

    assert net.until(lambda: net.agree(hosts), 10)
    assert clusters(hosts) == {"c0"}
    assert not any(founded(host) for host in hosts)


def test_b9_a_peer_that_cannot_be_reached_is_asked_again() -> None:
    """B9: for as long as it takes; nothing is founded meanwhile."""
    net = Net(7)
    hosts = equals(net, "abc")
    net.split(hosts[:2], hosts[2:])
    net.run(60)
    assert clusters(hosts) == {""}
    net.heal()

    assert net.until(lambda: net.agree(hosts), 20)


def test_b9_a_word_that_is_lost_is_said_again() -> None:
    """B9: one has founded and the others have not heard that all are ready: they join it, or found the same."""
    net = Net(8)
    hosts = equals(net, "abc")
    assert net.until(lambda: any(map(founded, hosts)), 10)
    first = next(host for host in hosts if founded(host))
    others = [host for host in hosts if host is not first and not founded(host)]
    net.split([first], others)
    net.run(10)
    net.heal()

    assert net.until(lambda: net.agree(hosts), 30)
    assert len(clusters(hosts)) == 1


def test_b11_two_groups_that_meet_stay_two_and_say_so() -> None:
    """B11: two groups that do not name each other both found; nothing ever merges them."""
    net = Net(9)
    one, other = equals(net, "ab", 2), equals(net, "cd", 2)
    assert net.until(lambda: net.agree(one) and net.agree(other), 10)
    one[0].call(one[0].core.join, [other[0].address])
    net.run(10)

    assert len(clusters(one + other)) == 2
    assert net.agree(one)
    assert net.agree(other)
    assert "two clusters never merge" in one[0].notes()
    assert "two clusters never merge" in other[0].notes()


def test_a_peer_that_is_this_server_by_another_name() -> None:
    """The same line on every server names the server itself too, and perhaps not as it calls itself."""

    class Aliased(Net):
        def send(self, sender: Host, address: str, message: object) -> None:
            super().send(sender, "a:7946" if address == "alias:7946" else address, message)

    net = Aliased(10)
    hosts = [net.add(name, peers=["alias:7946", *map(address, "ab")], expect=2) for name in "ab"]

    assert net.until(lambda: net.agree(hosts), 20)
    assert len(clusters(hosts)) == 1


@pytest.mark.parametrize("seed", range(60))
def test_b11_sets_that_are_founded_share_no_server(seed: int) -> None:
    """B11: whatever is named, lost, cut off and started again (actors/gossip/muster.py, rule 3)."""
    net = Net(seed, loss=0.1)
    rng = random.Random(f"muster/{seed}")
    names = "abcdef"
    hosts = []
    for name in names:
        expect = rng.choice((2, 3, 3))
        others = [other for other in names if other != name]
        # Mostly in threes, so that something is founded, and now and then across.
        own_group = [other for other in others if (other < "d") == (name < "d")]
        peers = own_group[: expect - 1] if rng.random() < 0.7 else rng.sample(others, rng.choice((1, 2, 2, 3)))
        hosts.append(net.add(name, peers=map(address, peers), expect=expect))
    for _ in range(20):
        host = rng.choice(hosts)
        net.kill(host) if host.is_up else host.start()
        net.cut(*rng.sample(hosts, 2))
        net.run(rng.uniform(0.05, 0.6))
        if rng.random() < 0.3:
            net.heal()

    sets = {found.cluster_id: {one.id for one in found.members} for host in hosts for found in founded(host)}
    members = [member for one in sets.values() for member in one]
    assert len(members) == len(set(members)), sets


def test_something_is_founded_in_those_runs() -> None:
    """Else the test above would say nothing: two threes that name each other, without faults, are two clusters."""
    net = Net(0)
    one, other = equals(net, "abc"), equals(net, "def")

    assert net.until(lambda: net.agree(one) and net.agree(other), 10)
    assert len(clusters(one + other)) == 2


WORDS = st.builds(
    Muster,
    expect=st.sampled_from((0, 2, 3, -1, 2**62)),
    claim=st.builds(
        Claim,
        id=st.sampled_from(("id-a", "id-b", "id-c", "", "x" * 100)),
        name=st.sampled_from(("a", "b", "\n", "")),
        address=st.sampled_from(("a:7946", "b:7946", "c:7946")),
        tags=st.just({}),
        incarnation=st.integers(-1, 3),
        lamport=st.integers(-1, 3),
    ),
    ready=st.sampled_from(("", "0" * 16, "x" * 5_000)),
    asked=st.sampled_from(("a:7946", "b:7946", "c:7946", "", "y" * 5_000)),
    is_answer=st.booleans(),
)


@given(st.lists(WORDS, max_size=30))
def test_whatever_is_said_nothing_is_founded_without_a_word_for_this_very_set(words: list[Muster]) -> None:
    """Nobody else can know the id of the set, and nothing that a message holds makes the core raise."""
    net = Net(0)
    host = net.add("a", peers=["b:7946", "c:7946"], expect=3)
    for word in words:
        host.call(host.core.handle, Source(word.claim.id, word.claim.address), word)
    net.run(2)

    assert founded(host) == []
