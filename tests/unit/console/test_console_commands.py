"""The console's commands, typed over telnet at a monitor whose server is made up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from actors.console import in_thread
from actors.console_commands import NodeMonitor
from actors.console_ports import CONSOLE_HOST
from tests.ports import free_ports
from tests.unit.console.telnet import Telnet
from transport.errors import QuorateError

PROMPT = "one >>> "
ANSWERS: dict[str, Any] = {
    "members": [{"name": "one", "address": "127.0.0.1:1", "status": "alive", "role": "leader", "id": "a" * 32}],
    "raft.peers": [
        {"name": "one", "address": "127.0.0.1:1", "role": "leader", "voter": True, "id": "a" * 32, "reason": "alone"}
    ],
    "status": {
        "node": "one",
        "id": "a" * 32,
        "cluster_id": "c",
        "role": "leader",
        "leader": "one",
        "term": 3,
        "quorum": True,
        "voters": ["one"],
        "standbys": [],
        "commit_index": 7,
        "applied_index": 7,
    },
    "actors.list": [
        {
            "name": name,
            "incarnation": 2,
            "state": "running",
            "restarts": 1,
            "mailbox": 0,
            "handled": 9,
            "last_error": None,
        }
        for name in ("raft", "gossip")
    ],
    "actors.mailboxes": [{"name": "raft", "depth": 4}],
    "actors.dead_letters": {"total": 0, "letters": []},
}


class MadeUpServer:
    """Answers operations on its loop, and notes what it was asked."""

    def __init__(self) -> None:
        self.killed: list[str] = []
        self.threads: set[int] = set()
        self.blocked: asyncio.Event | None = None

    async def operate(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """What the gateway would answer."""
        self.threads.add(threading.get_ident())
        if self.blocked is not None:
            await self.blocked.wait()
        if op == "actors.kill":
            if arguments["target"] in self.killed or arguments["target"] != "raft@2":
                raise QuorateError("raft is now incarnation 3: nothing done")
            self.killed.append(arguments["target"])
            return {"result": "killed raft@2"}
        return ANSWERS[op]


@pytest.fixture
def server() -> MadeUpServer:
    """A server that answers."""
    return MadeUpServer()


@pytest.fixture
async def console(server: MadeUpServer) -> AsyncIterator[Telnet]:
    """A terminal at the server's console, at its first prompt."""
    port = free_ports(3)
    monitor = NodeMonitor(asyncio.get_running_loop(), "one", CONSOLE_HOST, port, server.operate)
    await in_thread(monitor.start, timeout_s=10.0)
    terminal = await Telnet.open(port)
    await terminal.until(PROMPT)
    yield terminal
    await terminal.close()
    await in_thread(monitor.close, timeout_s=10.0)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("members", r"one +127\.0\.0\.1:1 +alive +leader"),
        ("raft", r"term +3"),
        ("actors", r"gossip +2 +running"),
        ("mailboxes", r"raft +4"),
        ("dead-letters", "no dead letters"),
        ("kill-actor raft@2", "killed raft@2"),
        ("kill-actor raft@1", "raft is now incarnation 3: nothing done"),
        ("kill-actor --help", "TARGET"),
        ("kill-actor", "Missing parameter: target"),
    ],
)
async def test_a_command_answers_and_gives_the_prompt_back(console: Telnet, command: str, expected: str) -> None:
    """Every command ends, with an answer, a refusal or its help; none hangs the console."""
    console.type(f"{command}\r")

    shown = await console.until(expected)
    await console.until(PROMPT)
    assert command.split()[0] in shown.rpartition(PROMPT)[2], "a prompt came between the command and its answer"


async def test_an_empty_line_kills_nobody_twice(console: Telnet, server: MadeUpServer) -> None:
    """aiomonitor repeats the last command on Enter; a kill names an incarnation, so the repeat does nothing."""
    console.type("kill-actor raft@2\r")
    await console.until("killed raft@2")
    await console.until(PROMPT)
    console.type("\r")

    await console.until("nothing done")
    assert server.killed == ["raft@2"]


async def test_tab_completes_an_actor(console: Telnet) -> None:
    """Tab after the beginning of a name gives the name and its incarnation."""
    console.type("kill-actor ra\t")
    await console.until("ft@2")
    console.type("\r")

    await console.until("killed raft@2")


async def test_a_busy_server_does_not_hang_the_console(console: Telnet, server: MadeUpServer) -> None:
    """The console gives up after its time limit and says how to find out more."""
    server.blocked = asyncio.Event()
    console.type("members\r")

    await console.until("did not answer within 2 s; 'stacktrace'")
    await console.until(PROMPT)
    server.blocked.set()


async def test_the_servers_state_is_touched_on_its_own_loop(console: Telnet, server: MadeUpServer) -> None:
    """The commands run in the console's thread, the operations in the server's."""
    console.type("members\r")
    await console.until("alive")

    assert server.threads == {threading.get_ident()}
