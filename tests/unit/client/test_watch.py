"""A watch that ends goes on behind what it has told."""

from __future__ import annotations

from typing import Any

from quorate.watch import Watch
from storage.kv_protocol import Change, Changes, decode_query
from storage.kv_protocol import Watch as Query


class Store:
    """Two changes, told together."""

    is_open = True

    async def call(self, op: str, arguments: Any = None, *, timeout_s: float | None = None) -> Any:
        """What came after a revision."""
        query = decode_query(arguments)
        assert isinstance(query, Query)
        changes = [Change("a", b"", 1), Change("b", b"", 2)]
        return Changes([one for one in changes if one.revision > query.after], 2)


async def test_who_stops_at_an_update_is_not_told_of_it_again() -> None:
    """Also in the middle of an answer."""
    told = []
    after = 0
    for _ in range(2):
        watch = Watch(Store(), "", is_prefix=True, after=after, result=lambda answer, kind: answer)
        async for update in watch:
            told.append(update.revision)
            break
        after = watch.revision

    assert told == [1, 2]
