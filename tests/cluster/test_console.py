"""The aiomonitor console of a real server, over telnet as its own client does."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.unit.console.telnet import Telnet

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

PROMPT = r"s0 >>> "


async def test_a_console_is_attached_to(cluster: Cluster) -> None:
    """members, raft and actors answer at the prompt, and kill-actor restarts an actor; status names the port."""
    port = cluster.port(0) + 2
    server = cluster.add("--monitor-port", str(port))
    server.start()
    cluster.agree()
    server.wait_log("console: python cli.py console")
    assert server.status()["monitor_port"] == port

    telnet = await Telnet.open_when_bound(port)
    await telnet.until(PROMPT)
    for command, shown in (("members", "alive"), ("raft", "leader"), ("actors", "persistence"), ("mailboxes", "raft")):
        telnet.type(f"{command}\r")
        await telnet.until(shown)
        await telnet.until(PROMPT)
    telnet.type("kill-actor reconciler@1\r")
    await telnet.until(PROMPT)
    await telnet.close()

    server.wait_log("reconciler@1 was killed by an operator")
    server.put("k", "v")


def test_a_console_needs_a_terminal(cluster: Cluster) -> None:
    """`console` in a script says what to use instead; without a console it says how to get one."""
    port = cluster.port(0) + 2
    server = cluster.add("--monitor-port", str(port))
    server.start()
    cluster.agree()
    server.wait_log("console: python cli.py console")
    no_terminal = server.cli("console")
    assert no_terminal.code == 1
    assert "terminal" in no_terminal.error
    assert "Traceback" not in server.log_text(), "nobody has hung up on the server's terminal"
    plain = cluster.add()
    plain.start()
    cluster.agree()
    none = plain.cli("console")
    assert none.code == 1
    assert "--monitor-port" in none.error


def test_a_taken_console_port(cluster: Cluster) -> None:
    """Any of the three ports being taken ends `start` with one clear line, not with a hang."""
    server = cluster.add()
    server.start()
    cluster.agree()
    second = cluster.add("--monitor-port", str(server.port - 1 if server.port % 100 else server.port))
    second.start()

    assert second.wait_exit() == 1
    assert "in use" in second.log_text()
    assert "--monitor-port" in second.log_text()
    assert "Traceback" not in second.log_text()
