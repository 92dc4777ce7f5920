"""A shop whose carts survive any server: an aiohttp program with a Quorate server inside, three times.

python examples/shop.py                          # the demonstration: three shops, one killed, the cart still there
python examples/shop.py serve --help             # one of three, for three machines

curl -X POST http://HOST:PORT/carts/ann/apples   # one more apple
curl http://HOST:PORT/carts/ann
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from examples.three_servers import PATIENCE_S, PERIOD_S, ThreeServers, free_port
from quorate import Client, ClientError, Conflict, Node, NodeConfig

CLIENT = web.AppKey("client", Client)

routes = web.RouteTableDef()


@routes.get("/carts/{who}")
async def show(request: web.Request) -> web.Response:
    """What is in a cart."""
    cart, _ = await load(request.app[CLIENT], request.match_info["who"])
    return web.json_response(cart)


@routes.post("/carts/{who}/{item}")
async def add(request: web.Request) -> web.Response:
    """One more of something.  Somebody else may be changing the cart: then it is read anew."""
    client, who = request.app[CLIENT], request.match_info["who"]
    while True:
        cart, revision = await load(client, who)
        cart[request.match_info["item"]] += 1
        try:
            await client.kv.put(f"cart/{who}", json.dumps(cart), revision=revision)
        except Conflict:
            continue
        return web.json_response(cart)


async def load(client: Client, who: str) -> tuple[Counter[str], int]:
    """A cart with its revision, 0 for one that is not there yet."""
    found = await client.kv.get(f"cart/{who}")
    return (Counter(json.loads(found.value)), found.revision) if found else (Counter(), 0)


@web.middleware
async def say_why(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A cluster without a majority sells nothing: the customer is told to come again."""
    try:
        return await handler(request)
    except ClientError as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from None


async def serve(config: NodeConfig, port: int) -> None:
    """Be a shop, with a server of the cluster inside, until the process ends."""
    async with Node(config) as node, Client(config.bind, timeout_s=PATIENCE_S) as client:
        app = web.Application(middlewares=[say_why])
        app[CLIENT] = client
        app.add_routes(routes)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            await node.wait()
        finally:
            await runner.cleanup()


async def demonstrate() -> None:
    """Fill a cart in one shop, kill that shop, and go on in another."""
    ports = [free_port() for _ in range(3)]
    with ThreeServers(__file__, "serve", options=lambda shop: ["--port", str(ports[shop])]) as servers:
        async with aiohttp.ClientSession() as session:
            for item in ("apples", "apples", "bread"):
                print("shop 0:", await ask(session, "POST", f"http://127.0.0.1:{ports[0]}/carts/ann/{item}"))
            servers.kill(0)
            print("shop 0 is killed")
            print("shop 1:", await ask(session, "GET", f"http://127.0.0.1:{ports[1]}/carts/ann"))
            print("shop 2:", await ask(session, "POST", f"http://127.0.0.1:{ports[2]}/carts/ann/cheese"))
            servers.start(0)
            print("shop 0 is started again")
            cart = await ask(session, "GET", f"http://127.0.0.1:{ports[0]}/carts/ann")
            print("shop 0:", cart)
            assert cart == {"apples": 2, "bread": 1, "cheese": 1}


async def ask(session: aiohttp.ClientSession, method: str, url: str) -> dict[str, int]:
    """The cart that a shop answers with, as soon as it is open."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with session.request(method, url, raise_for_status=True) as response:
                    cart: dict[str, int] = await response.json()
                    return cart
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(PERIOD_S)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A shop whose carts survive any server.")
    one = parser.add_subparsers(dest="command").add_parser("serve", help="run one of three shops")
    one.add_argument("--bind", required=True, metavar="HOST:PORT", help="where its Quorate server listens")
    one.add_argument("--peer", action="append", default=[], metavar="HOST:PORT", help="another shop's; twice")
    one.add_argument("--data-dir", type=Path, required=True, help="where it keeps what it must not forget")
    one.add_argument("--port", type=int, required=True, help="where customers come in")
    given = parser.parse_args()
    if given.command is None:
        asyncio.run(demonstrate())
        return
    config = NodeConfig(given.data_dir, bind=given.bind, peers=given.peer, bootstrap_expect=3, http="off")
    asyncio.run(serve(config, given.port))


if __name__ == "__main__":
    main()
