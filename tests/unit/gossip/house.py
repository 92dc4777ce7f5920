"""Servers of four actors each (persistence on a real disk, gossip, events, a listener to its news) in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from actors.events.events import EventsActor
from actors.events.handlers import Handler
from actors.gossip.beginning import Wanted
from actors.gossip.config import LOCAL
from actors.gossip.gossip import GossipActor
from actors.gossip.messages import MemberChanged, MembersRequest, MembersView, SuspectDead
from actors.gossip.process import Process
from actors.identity import Identity
from actors.persistence import PersistenceActor
from actors.runtime.actor import Actor, Context, Sender, handles
from actors.runtime.policy import Strategy
from actors.runtime.system import RemoteSender
from storage.data_dir import DataDir
from storage.serf_db import SerfState
from tests.unit.runtime.stage import Stage
from transport.errors import QuorateError
from transport.stamp import Letter
from transport.wire import PROTOCOL_VERSION, Header, Origin

POLL_S = 0.01
SEES_LIMIT_S = 10.0


class Listener(Actor):
    """Keeps the news."""

    def __init__(self, context: Context, server: Server) -> None:
        super().__init__(context)
        self._server = server

    @handles(MemberChanged)
    def _on_member(self, msg: MemberChanged, sender: Sender) -> None:
        self._server.news.append((msg.member.name, msg.old_status, msg.member.status))


class Server:
    """One server of the house. A stop leaves its data directory behind for the next start."""

    def __init__(self, house: House, name: str, *, peers: tuple[str, ...], tags: dict[str, str] | None = None) -> None:
        self.house = house
        self.name = name
        self.address = f"{name}:7946"
        self.peers = peers
        self.tags = tags or {}
        self.news: list[tuple[str, str, str]] = []
        self.lag_s = 0.0
        self.handlers: tuple[Handler, ...] = ()
        self.errors: list[QuorateError] = []
        """Why its process should have ended."""
        self.identity: Identity
        self.stage: Stage
        self._open = AsyncExitStack()

    async def start(self, cluster_id: str = "") -> Server:
        """Start its actors on its data directory; with a cluster id it founds that cluster."""
        data_dir = DataDir.open(self.house.folder / self.name)
        self._open.callback(data_dir.close)
        known = data_dir.identify(self.name)
        cluster_id = known.cluster_id or cluster_id
        self.identity = Identity(known.id, known.name, self.address, known.boot, self.tags, cluster_id)
        self.stage = await self._open.enter_async_context(Stage(address=self.address, server=known.id))
        self.house.stages[self.address] = self.stage
        self.stage.system.attach_links(Cable(self))
        await self.stage.play(
            ("persistence", lambda context: PersistenceActor(context, data_dir)),
            (
                "gossip",
                lambda context: GossipActor(
                    context,
                    identity=self.identity,
                    config=LOCAL,
                    process=Process(lambda: self.lag_s, self.errors.append),
                    wanted=Wanted(tuple(self.peers)),
                ),
            ),
            ("reconciler", lambda context: Listener(context, self)),
            (
                "events",
                lambda context: EventsActor(
                    context, identity=self.identity, handlers=self.handlers, wall_clock=self.stage.loop.time
                ),
            ),
            strategy=Strategy.REST_FOR_ONE,
        )
        return self

    async def stop(self) -> None:
        """End the process: nobody listens at its address any more, and the others' links see it."""
        self.house.stages.pop(self.address, None)
        await self._open.aclose()
        for stage in self.house.stages.values():
            stage.tell("gossip", SuspectDead(self.address, "connection refused"))

    async def ask(self, message: object, timeout_s: float = 10.0, *, actor: str = "gossip") -> Any:
        """Ask one of its actors."""
        return await self.stage.system.ref(actor).ask(message, timeout_s=timeout_s)

    async def statuses(self) -> dict[str, str]:
        """Name to status, as it sees them."""
        view: MembersView = await self.ask(MembersRequest())
        return {member.name: member.status for member in view.members}

    async def sees(self, **statuses: str) -> float:
        """Wait until it sees exactly these members so; how many seconds that took."""
        began = self.stage.loop.time()
        while (seen := await self.statuses()) != statuses:
            assert self.stage.loop.time() - began < SEES_LIMIT_S, f"{self.name} sees {seen}, not {statuses}"
            await asyncio.sleep(POLL_S)
        return self.stage.loop.time() - began

    def disk(self) -> SerfState:
        """What its serf.db holds; only while it is stopped."""
        data_dir = DataDir.open(self.house.folder / self.name)
        try:
            return data_dir.open_serf().load()
        finally:
            data_dir.close()


class Cable(RemoteSender):
    """One server's links: what is sent arrives at once, or nobody is there."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def send(self, address: str, letter: Letter, *, urgent: bool) -> bool:
        """Deliver to the server at that address."""
        stage = self._server.house.stages.get(address)
        if stage is None:
            return False
        me = self._server.identity
        header = Header(PROTOCOL_VERSION, letter.to, letter.kind, letter.actor, 1, letter.ask, None)
        origin = Origin(me.id, me.address, me.cluster_id, me.boot, 1)
        stage.system.deliver(header, origin, letter.body, None)
        return True

    def reply(self, routing_id: bytes, letter: Letter) -> bool:
        """There are no clients here."""
        return False


class House:
    """All servers of one story; whatever still runs at its end is stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: dict[str, Stage] = {}
        self._servers: list[Server] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for server in reversed(self._servers):
            await server.stop()

    async def start(self, name: str, *peers: str, cluster_id: str = "", tags: dict[str, str] | None = None) -> Server:
        """A new server, started."""
        server = Server(self, name, peers=peers, tags=tags)
        self._servers.append(server)
        return await server.start(cluster_id)

    async def cluster(self, size: int) -> list[Server]:
        """Servers n0, n1, ... that have found together."""
        servers = [await self.start("n0", cluster_id="c0")]
        servers += [await self.start(f"n{number}", "n0:7946") for number in range(1, size)]
        for server in servers:
            await server.sees(**{f"n{number}": "alive" for number in range(size)})
        return servers
