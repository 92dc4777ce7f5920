"""Servers of different apps: what one's commands mean the other does not know, so they are of no cluster."""

from __future__ import annotations

from tests.unit.gossip.simnet import Host, Net


def restart(host: Host, app: str) -> Host:
    """The same server, started with an app."""
    host.app = app
    host.start()
    return host


def test_a_server_with_another_app_is_turned_away() -> None:
    """It is told why in one line, and so is whoever asks the cluster; with the right app it is let in."""
    net = Net(1)
    ours = restart(net.add("n0", cluster_id="c0"), "Counter")
    other = restart(net.add("m0", peers=["n0:7946"]), "Carts")

    net.run(10)

    assert (ours.statuses(), other.disk.cluster_id) == ({"n0": "alive"}, "")
    line = "m0 at m0:7946 runs the app 'Carts' and n0 at n0:7946 runs Counter: all servers of a cluster run the same"
    assert f"n0:7946 refused this server: {line}" in other.notes()
    (away,) = ours.core.report.status(net.now)["turned_away"]
    assert line in away["reason"]

    restart(other, "Counter")
    assert net.until(lambda: net.agree([ours, other]), 10)


def test_servers_with_different_apps_start_no_cluster_together() -> None:
    """--bootstrap-expect waits, and says for what."""
    net = Net(1)
    peers = [f"{name}:7946" for name in "abc"]
    hosts = [restart(net.add(name, peers=peers, expect=3), "Carts" if name == "c" else "Counter") for name in "abc"]

    net.run(20)
    assert {host.disk.cluster_id for host in hosts} == {""}
    assert "c at c:7946 runs the app 'Carts', and this server runs Counter: no cluster is started" in hosts[0].notes()

    restart(hosts[2], "Counter")
    assert net.until(lambda: net.agree(hosts), 10)
