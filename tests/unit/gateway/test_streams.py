"""A feed and its readers: nothing is told twice, nothing is lost in silence, and nobody who is slow costs anything."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.gateway.streams import READERS_MAX, Feed
from actors.runtime.asks import MailboxFull
from tests.unit.runtime.virtual_time import story


def test_a_new_reader_gets_what_is_kept() -> None:
    """The latest entries first of all, in pages, and no talk of those that were there before it came."""
    feed = Feed("a", kept=5, page=3)
    for number in range(8):
        feed.add(number)
    first = feed.after("")
    second = feed.after(first.cursor)

    assert (first.entries, first.dropped) == ([3, 4, 5], 0)
    assert (second.entries, second.dropped) == ([6, 7], 0)
    assert feed.after(second.cursor).entries == []
    assert second.cursor == feed.end


@given(st.lists(st.one_of(st.just("read"), st.integers(1, 9)), max_size=60))
def test_what_is_read_and_what_is_dropped_is_everything(steps: list[str | int]) -> None:
    """Whatever the rhythm of writer and reader: in order, each once, and the gaps are counted exactly."""
    feed = Feed("a", kept=6, page=4)
    cursor, written, accounted = feed.end, 0, 0
    for step in [*steps, *["read"] * 3]:
        if isinstance(step, int):
            for _ in range(step):
                feed.add(written)
                written += 1
            continue
        page = feed.after(cursor)
        accounted += page.dropped
        assert page.entries == list(range(accounted, accounted + len(page.entries)))
        accounted += len(page.entries)
        cursor = page.cursor
    assert accounted == written


@pytest.mark.parametrize("cursor", ["b-3", "a-", "a--1", "a-x", "3", "a-²", "nonsense"])
def test_a_cursor_of_another_time_begins_anew(cursor: str) -> None:
    """After a restart of the feed, or from a client that makes one up."""
    feed = Feed("a")
    feed.add("one")

    assert feed.after(cursor).entries == ["one"]


def test_a_cursor_beyond_the_end_is_the_end() -> None:
    """However many digits it has."""
    feed = Feed("a")
    feed.add("one")

    assert feed.after(f"a-{'9' * 5000}").cursor == feed.end


@story
async def test_a_reader_waits_for_the_next_entry() -> None:
    """All who wait get it at once; without one the answer is empty when time is up."""
    feed = Feed("a")
    waiting = [asyncio.create_task(feed.read(feed.end, 10)) for _ in range(3)]
    await asyncio.sleep(1)
    feed.add("one")
    feed.add("two")
    began = asyncio.get_running_loop().time()

    assert [page.entries for page in await asyncio.gather(*waiting)] == [["one", "two"]] * 3
    assert asyncio.get_running_loop().time() == began
    assert (await feed.read(feed.end, 10)).entries == []
    assert asyncio.get_running_loop().time() == began + 10


@story
async def test_only_so_many_may_wait() -> None:
    """One more is turned away with a line; one that is gone makes room."""
    feed = Feed("a")
    waiting = [asyncio.create_task(feed.read(feed.end, 10)) for _ in range(READERS_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(MailboxFull, match="follow this already"):
        await feed.read(feed.end, 10)
    waiting[0].cancel()
    await asyncio.sleep(0)

    assert (await feed.read(feed.end, 1)).entries == []
    for task in waiting:
        task.cancel()
