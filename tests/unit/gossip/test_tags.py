"""A server's own tags: changed while it runs, told to all, kept over a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.gossip.config import LAN
from actors.gossip.effects import Changed, Reserve
from actors.gossip.member import TAG_CHARS_MAX
from actors.gossip.messages import ChangeTags, MembersRequest, MembersView
from actors.gossip.own import RESERVE
from actors.gossip.tags import Tags, TagsError, changed, fault_of_tags, tags_at_start
from storage.errors import WriteError
from storage.serf_db import SerfDb
from tests.unit.gossip.house import House, Server
from tests.unit.gossip.lone import Lone, claim, told
from tests.unit.gossip.simnet import Net
from tests.unit.runtime.virtual_time import story

tags = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"))


@pytest.mark.parametrize(
    ("kept", "before", "now", "after"),
    [
        ({}, {}, {"role": "web"}, {"role": "web"}),
        ({"role": "db"}, {"role": "web"}, {"role": "web"}, {"role": "db"}),
        ({"role": "db"}, {"role": "web"}, {"role": "cache"}, {"role": "cache"}),
        ({"role": "db", "zone": "a"}, {"role": "web"}, {}, {"zone": "a"}),
        ({}, {"role": "web"}, {"role": "web"}, {}),
        ({"zone": "b"}, {}, {"zone": "a"}, {"zone": "a"}),
    ],
)
def test_44_tags_file_bad_options(kept: Tags, before: Tags, now: Tags, after: Tags) -> None:
    """Serf refuses --tag beside a tags file; here of both the latest word stands, tag by tag.

    First start; the same line again; another value; no longer given; unset meanwhile; given for the first time.
    """
    assert tags_at_start(kept, before, now) == after


@given(tags, tags, tags)
def test_the_same_command_line_changes_nothing(kept: Tags, before: Tags, now: Tags) -> None:
    """Started twice with one line, the second start leaves everything as it is."""
    once = tags_at_start(kept, before, now)

    assert tags_at_start(once, now, now) == once
    assert tags_at_start(kept, before, before) == kept


def test_a_change_is_whole_or_nothing() -> None:
    """Set and unset at once; one that cannot be leaves all as it was, and says in a line why."""
    before = {"role": "web", "zone": "a"}

    assert changed(before, {"zone": "b", "rack": "1"}, ["role"]) == {"zone": "b", "rack": "1"}
    with pytest.raises(TagsError, match=r"^there is no tag 'rol' \(it has role, zone\); nothing was changed$"):
        changed(before, {"zone": "b"}, ["role", "rol"])
    with pytest.raises(TagsError, match="it has none"):
        changed({}, {}, ["role"])
    with pytest.raises(TagsError, match=f"513 characters together: at most {TAG_CHARS_MAX} are allowed; nothing"):
        changed({}, {"k": "v" * TAG_CHARS_MAX}, [])
    assert before == {"role": "web", "zone": "a"}


@pytest.mark.parametrize("bad", [{"": "v"}, {"a=b": "v"}, {"a\n": "v"}, {"a": "\x1b[2J"}, {"a": "v" * 600}])
def test_tags_that_cannot_be(bad: Tags) -> None:
    """A name of nothing, one that could not be read back, what would move a cursor, and too much."""
    fault = fault_of_tags(bad)

    assert fault
    assert fault.isprintable()


def test_a_change_is_a_new_incarnation_and_told() -> None:
    """As everything else that a server says of itself; this server's own actors hear of it too."""
    lone = Lone("a", "b")
    before = lone.incarnation("me")

    effects = lone.do(lone.core.retag(lone.now, {"role": "db"})) + lone.wait(1)

    assert lone.incarnation("me") == before + 1
    assert told(effects, "me")[0].tags == {"role": "db"}
    news = [effect for effect in effects if isinstance(effect, Changed)]
    assert [(change.member.id, change.old_status, change.member.tags) for change in news] == [
        ("id-me", "alive", {"role": "db"})
    ]


def test_a_change_waits_for_its_incarnation_to_be_on_disk() -> None:
    """With no incarnation left that is on disk nothing is said; later everything at once, the last tags."""
    lone = Lone("a")
    lone.hear(claim("me", 10 + RESERVE, tags={"role": "other"}))
    before = lone.core.own.incarnation
    lone.do(lone.core.retag(lone.now, {"role": "db"}))
    effects = lone.do(lone.core.retag(lone.now, {"role": "web"})) + lone.wait(1)

    assert (lone.core.own.incarnation, lone.core.own.tags) == (before, {})
    assert all(word.tags == {} for word in told(effects, "me"))
    upto = max(effect.upto for effect in lone.effects if isinstance(effect, Reserve))
    effects = lone.do(lone.core.reserved(lone.now, upto)) + lone.wait(1)
    assert lone.core.own.incarnation > 10 + RESERVE
    assert told(effects, "me")[0].tags == {"role": "web"}


def test_a_refutation_keeps_the_changed_tags() -> None:
    """Somebody repeats what this server said before: it objects with what it says now."""
    lone = Lone("a")
    lone.do(lone.core.retag(lone.now, {"role": "db"}))
    now = lone.incarnation("me")
    lone.hear(claim("me", now + 3, tags={"role": "old"}))

    assert lone.incarnation("me") == now + 4
    assert lone.core.own.tags == {"role": "db"}


def test_a_change_is_everywhere_within_a_second() -> None:
    """Thirty servers on the lan profile's timing, a twentieth of the messages lost."""
    net = Net(3, LAN)
    hosts = net.cluster(30)
    net.loss = 0.05
    hosts[7].call(hosts[7].core.retag, {"role": "db"})

    def is_known() -> bool:
        views = [host.core.report.named(net.now, "n7")[0] for host in hosts]
        return all(view.tags == {"role": "db"} for view in views)

    assert net.took(is_known, 30) < 1.5


async def change(server: Server, put: Tags, *remove: str) -> dict[str, object]:
    """Ask the actor."""
    value: dict[str, object] = (await server.ask(ChangeTags(put, list(remove)))).value
    return value


async def tags_of(server: Server, name: str) -> Tags:
    """As this server sees them."""
    view: MembersView = await server.ask(MembersRequest())
    return next(member.tags for member in view.members if member.name == name)


@story
async def test_changed_tags_are_kept_over_a_restart(tmp_path: Path) -> None:
    """serf.db has them, the same start leaves them, and another --tag is a later word."""
    async with House(tmp_path) as house:
        one = await house.start("one", cluster_id="c1", tags={"role": "web"})
        assert (await change(one, {"zone": "a", "role": "db"}))["tags"] == {"role": "db", "zone": "a"}
        refused = await change(one, {}, "rack")
        assert refused == {"ok": False, "reason": "there is no tag 'rack' (it has role, zone); nothing was changed"}
        incarnation = (await change(one, {"zone": "a"}))["incarnation"]
        assert incarnation == (await change(one, {"zone": "a"}))["incarnation"]

        await one.stop()
        await one.start()
        assert await tags_of(one, "one") == {"role": "db", "zone": "a"}
        await one.stop()
        one.tags = {"role": "cache"}
        await one.start()
        assert await tags_of(one, "one") == {"role": "cache", "zone": "a"}


@story
async def test_changes_at_the_same_time_are_all_made(tmp_path: Path) -> None:
    """None is lost to another one that was read before it was written."""
    async with House(tmp_path) as house:
        one = await house.start("one", cluster_id="c1")
        await asyncio.gather(*(change(one, {f"k{number}": "v"}) for number in range(20)))

        assert await tags_of(one, "one") == {f"k{number}": "v" for number in range(20)}


@story
async def test_a_change_that_the_disk_refuses_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The asker learns it, nobody is told, and a later write does not bring it back."""
    async with House(tmp_path) as house:
        one = await house.start("one", cluster_id="c1")
        with monkeypatch.context() as full:
            full.setattr(SerfDb, "write", refuse)
            answer = await change(one, {"role": "db"})
        await change(one, {"zone": "a"})

        assert answer["ok"] is False
        assert "No space" in str(answer["reason"])
        assert await tags_of(one, "one") == {"zone": "a"}
        await one.stop()
        assert one.disk().tags == {"zone": "a"}


def refuse(db: SerfDb, write: object) -> None:
    """As a full disk does."""
    raise WriteError(Path("serf.db"), "No space left on device")
