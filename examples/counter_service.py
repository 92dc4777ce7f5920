"""A replicated counter: three servers with the state machine of counter.py, one killed, and the count goes on.

    python examples/counter_service.py

Each server is `quorate start --app examples.counter:Counter`; what counts is clients, in this process.
"""

from __future__ import annotations

import asyncio

from examples.three_servers import PATIENCE_S, ThreeServers, quorate_servers, until
from quorate import Client

CLIENTS = 4
EACH = 50


async def count_up(client: Client) -> None:
    """Count up, one after the other; a client sends again what a dead server has not answered, and it counts once."""
    for _ in range(EACH):
        await client.propose(b"1", timeout_s=PATIENCE_S)


async def kill_the_leader(servers: ThreeServers, client: Client) -> None:
    """Kill it in the midst of the counting."""

    leaders: list[str] = []

    async def is_under_way() -> bool:
        # Not every server has heard of the leader yet.
        leaders[:] = [member["address"] for member in await client.members() if member["role"] == "leader"]
        return bool(leaders) and int(await client.read(b"", timeout_s=PATIENCE_S)) >= EACH

    await until(is_under_way)
    (address,) = leaders
    servers.kill(servers.addresses.index(address))
    print(f"killed the leader, {address}, at a count of {EACH} or more")


async def main() -> None:
    """Count from four clients, and compare."""
    with quorate_servers("--app", "examples.counter:Counter") as servers:
        async with Client(*servers.addresses, timeout_s=PATIENCE_S) as client:
            print(f"three servers; {CLIENTS} clients count to {EACH} each")
            await client.propose(b"0")
            await asyncio.gather(*[count_up(client) for _ in range(CLIENTS)], kill_the_leader(servers, client))
            total = int(await client.read(b"", timeout_s=PATIENCE_S))
    print(f"the two that are left say {total}: every count once")
    assert total == CLIENTS * EACH


if __name__ == "__main__":
    asyncio.run(main())
