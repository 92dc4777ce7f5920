"""The pictures of docs/page.md, made anew from a real cluster: python -m tests.page.pictures [FOLDER]."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from quorate import Client
from tests.page.browser import NARROW, WIDE, Browser
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import pass_time
from transport.errors import QuorateError

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "page"
MINUTE_S = 62.0
"""How long there is load before the first picture, so that the curves are full."""


READS = 0.6
"""How many puts are followed by a get."""


class Load(threading.Thread):
    """Clients that put and get like those of a small shop, until they are stopped."""

    def __init__(self, server: Server) -> None:
        super().__init__(name="load")
        self._server = server
        self._ended = threading.Event()

    def run(self) -> None:
        """Serve until `stop`."""
        asyncio.run(self._clients())

    def stop(self) -> None:
        """End, and wait for the end."""
        self._ended.set()
        self.join()

    async def _clients(self) -> None:
        async with Client(self._server.address) as client:
            await client.kv.put("config/shop.toml", 'title = "shop"\n\n[limits]\ncarts = 1000\n')
            await asyncio.gather(*(self._client(client) for _ in range(8)))

    async def _client(self, client: Client) -> None:
        while not self._ended.is_set():
            key = f"cart/{random.randrange(12):02}"
            with suppress(QuorateError):
                await client.kv.put(key, f"{random.randrange(1, 9)} books, {random.randrange(1, 90)} stamps")
                if random.random() < READS:
                    await client.kv.get(key)
            await asyncio.sleep(random.uniform(0.01, 0.05))


def picture(browser: Browser, folder: Path, name: str, server: Server, *, title: str, dark: bool = False) -> None:
    """The page of a server as it is now, once it says so."""
    browser.prefer(dark=dark)
    browser.wait(title, lambda seen: seen["title"].startswith(title))
    pass_time(2.0)
    browser.save(folder / f"{name}.png")
    browser.resize(WIDE)


def take(browser: Browser, cluster: Cluster, folder: Path) -> None:
    """All pictures, one state after the other."""
    for index, zone in enumerate("abc"):
        cluster.add("--tag", f"zone={zone}", index=index).start()
    cluster.agree()
    leader = cluster.leader()
    one, two = cluster.followers()
    load = Load(leader)
    load.start()
    browser.open(leader)
    pass_time(MINUTE_S)
    browser.run("document.querySelector('#keys-table').rows[13].querySelector('button').click()")
    picture(browser, folder, "healthy-light", leader, title="Healthy")
    picture(browser, folder, "healthy-dark", leader, title="Healthy", dark=True)
    one.kill()
    browser.wait("the failure", lambda seen: seen["title"] == "Degraded")
    browser.run(f"""document.querySelector('button[aria-label^="Why is {one.name}"]').click()""")
    picture(browser, folder, "server-killed", leader, title="Degraded")
    browser.run(f"""document.querySelector('button[aria-label^="Why is {one.name}"]').click()""")
    two.kill()
    picture(browser, folder, "no-quorum", leader, title="No quorum", dark=True)
    one.start()
    two.start()
    browser.wait("recovery", lambda seen: seen["title"] == "Healthy")
    browser.resize(NARROW)
    pass_time(2.0)
    browser.prefer(dark=False)
    browser.save(folder / "narrow.png")
    browser.resize(WIDE)
    load.stop()
    leader.kill()
    picture(browser, folder, "server-gone", leader, title="No answer")


def main(folder: Path) -> None:
    """Make a cluster and a browser, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="quorate-pictures-") as scratch:
        browser = Browser(Path(scratch) / "chromium")
        cluster = Cluster(Path(scratch) / "cluster")
        try:
            take(browser, cluster, folder)
        finally:
            browser.close()
            cluster.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
