"""A server whose gossip is busy until it is killed: run by test_kill_nine.py, never imported by it.

Its persistence and gossip actors are the real ones, on a real data directory. Members it has never met accuse it, join,
fail and leave as fast as it can listen, with Lamport times that run ahead. Whatever it then says to others is printed
after it was said: that must never come back in another run.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from msgspec.structs import replace

from actors.gossip.member import Claim, Liveness
from actors.gossip.messages import Gossip, GossipStatusRequest, LeaveRequest
from tests.unit.gossip.house import House, Server
from tests.unit.gossip.lone import claim
from tests.unit.runtime.virtual_time import VirtualLoop
from transport.wire import PROTOCOL_VERSION, Header, Origin, encode_body

NAME = "busy"
TURNS_PER_LINE = 3


async def main(folder: Path, seed: int) -> None:
    """Live on the edge for ever."""
    rng = random.Random(seed)
    async with House(folder) as house:
        server = await house.start(NAME, cluster_id="c0")
        while True:
            for _ in range(TURNS_PER_LINE):
                status = (await server.ask(GossipStatusRequest())).value
                tell(server, [accusation(server, status["incarnation"]), stranger(rng, status["lamport"])])
                if rng.random() < 0.1:
                    await server.ask(LeaveRequest("leaving"))
                    await server.ask(LeaveRequest("stay"))
            status = (await server.ask(GossipStatusRequest())).value
            sys.stdout.write(f"{status['incarnation']} {status['lamport']}\n")
            sys.stdout.flush()


def accusation(server: Server, incarnation: int) -> Claim:
    """Somebody calls this very incarnation dead: it will object."""
    own = claim(NAME, incarnation, liveness=Liveness.DEAD, accusers=("a", "b"), address=server.address)
    return replace(own, id=server.identity.id)


def stranger(rng: random.Random, lamport: int) -> Claim:
    """News of one of a few members, from a little ahead."""
    name = f"m{rng.randrange(8)}"
    dead = rng.random() < 0.3
    return claim(
        name,
        rng.randrange(1, 100),
        liveness=Liveness.DEAD if dead else Liveness.ALIVE,
        accusers=("a", "b") if dead else (),
        lamport=lamport + rng.randrange(1, 3_000),
    )


def tell(server: Server, claims: list[Claim]) -> None:
    """Gossip arrives."""
    message = Gossip(claims)
    header = Header(PROTOCOL_VERSION, "gossip", "gossip.gossip", "gossip", 1, 0, None)
    server.stage.system.deliver(header, Origin("id-teller", "teller:7946"), encode_body(message), None)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main(Path(sys.argv[1]), int(sys.argv[2])))
