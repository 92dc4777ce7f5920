"""The events actor beside real gossip actors, in virtual time: what watchers and askers hear, what a crash costs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from actors.events.messages import EventsStatusRequest, FollowQuery, SendEvent, SendQuery, WatchEvents
from actors.gateway.streams import KEPT_DEFAULT, PAGE_DEFAULT
from actors.gossip.config import LOCAL
from actors.gossip.messages import ChangeTags
from tests.unit.gossip.house import House, Server
from tests.unit.runtime.virtual_time import story

JOINED = ["member-join n0", "member-join n1", "member-join n2"]


async def watched(server: Server, cursor: str = "", *, wait_s: float = 0.0) -> tuple[list[str], str]:
    """What a watcher that wants what is kept, too, is told, and where it stands then."""
    page = (await server.ask(WatchEvents(cursor, wait_s, recent=True), 60.0, actor="events")).value
    return [line(row) for row in page["entries"]], page["cursor"]


def line(row: dict[str, Any]) -> str:
    """An event in short."""
    return f"{row['event']} {row['member']['name'] if 'member' in row else row.get('name', '')}".rstrip()


async def replies(server: Server, query: int) -> list[dict[str, Any]]:
    """All replies to a query, to its end."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while not found or found[-1]["type"] != "done":
        page = (await server.ask(FollowQuery(query, cursor, 10.0), 60.0, actor="events")).value
        found += page["entries"]
        cursor = page["cursor"]
    return found


@story
async def test_a_watcher_sees_what_happens_as_it_happens(tmp_path: Path) -> None:
    """Members that come, change and go, this server among them, and events of others: each once, in their order."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        seen, cursor = await watched(servers[0])
        assert sorted(seen) == JOINED

        await servers[1].ask(SendEvent("deploy", b"v2", coalesce=True))
        seen, cursor = await watched(servers[0], cursor, wait_s=10.0)
        assert seen == ["user deploy"]
        await servers[1].ask(ChangeTags({"role": "db"}, []))
        seen, cursor = await watched(servers[0], cursor, wait_s=10.0)
        assert seen == ["member-update n1"]
        assert (await watched(servers[1]))[0][-1] == "member-update n1"
        await servers[2].stop()
        seen, cursor = await watched(servers[0], cursor, wait_s=10.0)
        assert seen == ["member-failed n2"]
        assert await watched(servers[0], cursor, wait_s=5.0) == ([], cursor)


@story
async def test_an_event_bears_the_time_at_which_it_was_seen(tmp_path: Path) -> None:
    """By this server's wall clock, whenever a watcher comes to ask; in UTC, as a log line has it."""
    async with House(tmp_path) as house:
        (server,) = await house.cluster(1)
        await server.stage.settle(20.0)
        sent_at = server.stage.loop.time()
        await server.ask(SendEvent("deploy", b"v2", coalesce=True))
        await server.stage.settle(100.0)
        page = (await server.ask(WatchEvents("", 0.0, recent=True), actor="events")).value

        joined, deployed = (row["time"] for row in page["entries"])
        assert joined < deployed
        assert deployed.endswith("+00:00")
        assert 0.0 <= datetime.fromisoformat(deployed).timestamp() - sent_at < 1.0


@story
async def test_a_slow_watcher_is_told_how_much_it_has_lost(tmp_path: Path) -> None:
    """Nothing is kept for it, and nothing is lost in silence."""
    async with House(tmp_path) as house:
        (server,) = await house.cluster(1)
        _, cursor = await watched(server)
        for number in range(KEPT_DEFAULT + 100):
            await server.ask(SendEvent(f"e{number}", b"", coalesce=False))
        await server.stage.settle(1.0)
        page = (await server.ask(WatchEvents(cursor, 0.0), actor="events")).value

        assert page["dropped"] == 100
        assert [row["name"] for row in page["entries"]] == [f"e{number}" for number in range(100, 100 + PAGE_DEFAULT)]
        new = (await server.ask(WatchEvents("", 0.0), actor="events")).value
        assert new["entries"] == []


@story
async def test_an_asker_gets_each_reply_and_the_end(tmp_path: Path) -> None:
    """Acknowledgements of all, and the question in every watcher's stream; a silent one is named at the end."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        asked = (await servers[0].ask(SendQuery("load", b"1m"))).value
        assert asked["expected"] == ["n0", "n1", "n2"]
        assert asked["timeout_s"] == LOCAL.query_s(3)
        found = await replies(servers[0], asked["id"])
        assert sorted(reply["from"] for reply in found[:-1]) == ["n0", "n1", "n2"]
        assert found[-1] == {"type": "done", "missing": []}
        assert "query load" in (await watched(servers[2]))[0]

        house.stages.pop(servers[2].address)
        asked = (await servers[0].ask(SendQuery("load", b""))).value
        assert (await replies(servers[0], asked["id"]))[-1] == {"type": "done", "missing": ["n2"]}
        house.stages[servers[2].address] = servers[2].stage


@story
async def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    """A query that nobody asked here, and one that gossip refuses."""
    async with House(tmp_path) as house:
        (server,) = await house.cluster(1)
        unknown = (await server.ask(FollowQuery(7, "", 1.0), actor="events")).value
        refused = (await server.ask(SendQuery("load", b"", tags={"role": "("}))).value
        too_large = (await server.ask(SendEvent("deploy", b"x" * 600, coalesce=True))).value

        assert "not known here" in unknown["reason"]
        assert "not closed" in refused["reason"]
        assert "at most 512" in too_large["reason"]


@story
async def test_a_crash_of_the_actor_repeats_nothing(tmp_path: Path) -> None:
    """Its next incarnation knows who is there and tells only what happens then, and watchers that it began anew."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        _, cursor = await watched(servers[0])
        servers[0].stage.system.kill("events", 1)
        await servers[0].stage.settle(1.0)
        assert (await servers[0].ask(EventsStatusRequest(), actor="events")).value["runs"] == 0
        seen, cursor = await watched(servers[0], cursor)
        assert seen == ["restart"]
        await servers[1].stop()

        assert (await watched(servers[0], cursor, wait_s=10.0))[0] == ["member-failed n1"]


@story
async def test_a_restart_delivers_no_event_again(tmp_path: Path) -> None:
    """The clock of events is in serf.db; what was missed meanwhile comes with the first exchange."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        await servers[0].ask(SendEvent("before", b"", coalesce=False))
        await servers[2].stage.settle(1.0)
        await servers[2].stop()
        assert servers[2].disk().event_clock == 1
        await servers[0].ask(SendEvent("missed", b"", coalesce=False))
        await servers[2].start()
        await servers[2].sees(n0="alive", n1="alive", n2="alive")
        await servers[2].stage.settle(1.0)

        assert [event for event in (await watched(servers[2]))[0] if "user" in event] == ["user missed"]
