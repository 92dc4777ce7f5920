"""The console as an actor: it asks the gateway, gives its ports back, and comes back after a kill."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from actors.config import CONSOLE_PORTS
from actors.console import ConsoleActor
from actors.console_ports import check_console_ports
from actors.gateway.messages import AdminForward
from actors.runtime.actor import Actor, Sender, handles
from actors.runtime.policy import Strategy
from actors.runtime.supervisor import ChildSpec, Supervisor
from actors.runtime.system import System
from tests.ports import free_ports
from tests.unit.console.telnet import Telnet
from transport.client.protocol import Code, Response, encode_payload

PROMPT = "one >>> "


class MadeUpGateway(Actor):
    """Says that nothing is lost, and refuses everything else."""

    @handles(AdminForward)
    def on_admin(self, msg: AdminForward, sender: Sender) -> Response:
        """Answer as the gateway does."""
        if msg.op == "actors.dead_letters":
            return Response(0, Code.OK, encode_payload({"total": 0, "letters": []}))
        return Response(0, Code.REFUSED, b"", f"{msg.op} is not for you")


@pytest.fixture
def port() -> int:
    """The first of the console's ports."""
    return free_ports(CONSOLE_PORTS)


@pytest.fixture
async def system(port: int) -> AsyncIterator[System]:
    """A server with a console and a made-up gateway."""
    system = System(server_id=lambda: "id", address=lambda: "127.0.0.1:1", rng=random.Random(1))
    edge = Supervisor(
        system,
        "edge",
        strategy=Strategy.ONE_FOR_ONE,
        children=[
            ChildSpec("gateway", MadeUpGateway),
            ChildSpec("console", lambda context: ConsoleActor(context, "one", port)),
        ],
        on_escalate=pytest.fail,
    )
    await edge.start()
    yield system
    await edge.stop()
    system.close()
    check_console_ports(port)


async def test_the_console_asks_the_gateway(system: System, port: int) -> None:
    """What the gateway answers is shown, and what it refuses is shown in its own words."""
    terminal = await Telnet.open(port)
    await terminal.until(PROMPT)
    terminal.type("dead-letters\r")
    await terminal.until("no dead letters")
    await terminal.until(PROMPT)
    terminal.type("members\r")
    await terminal.until("members is not for you")
    await terminal.close()


async def test_a_killed_console_comes_back_on_its_ports(system: System, port: int) -> None:
    """The ports of the old incarnation are free before the next one binds them."""
    terminal = await Telnet.open(port)
    await terminal.until(PROMPT)
    system.kill("console", 1)
    await terminal.until_closed()

    again = await Telnet.open_when_bound(port)
    await again.until(PROMPT)
    await again.close()
    await terminal.close()
