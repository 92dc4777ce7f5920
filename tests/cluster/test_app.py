"""A cluster with a state machine of its own: `start --app`, by clients, beside others, and after a kill."""

from __future__ import annotations

from functools import partial

import pytest

from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

APP = ("--app", "examples.counter:Counter")


def test_a_counter_of_three_servers(cluster: Cluster) -> None:
    """Every server applies every command; a server with another app is not let in, and changes nothing."""
    first, second, third = (cluster.add(*APP) for _ in range(3))
    for server in (first, second, third):
        server.start()
    cluster.agree()
    with first.client() as client:
        assert [client.propose(b"7"), client.propose(b"x"), client.propose(b"-2")] == [b"7", b"error: no number", b"5"]
    assert first.ask("info")["agent"]["app"] == "Counter"

    stranger = cluster.add()
    stranger.start()
    stranger.wait_log("runs the app 'KeyValueStore' and s0 at .* runs Counter")
    stranger.kill()

    cluster.leader([first, second, third]).kill()
    for server in cluster.running:
        assert wait_until(f"{server} answers", partial(count, server)) == b"5"


def count(server: Server) -> bytes:
    """What a server says the count is."""
    with server.client() as client:
        return client.read(b"")


def test_a_data_directory_of_another_app(cluster: Cluster) -> None:
    """What one app has written is not given to another one."""
    server = cluster.add(*APP)
    server.start()
    cluster.agree()
    server.stop()
    server.options = ()
    server.start()

    assert server.wait_exit() == 2
    assert "holds what the app Counter has made, and this server runs KeyValueStore" in server.log_text()
