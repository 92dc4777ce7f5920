"""A watch that ends goes on behind what it has told."""

from __future__ import annotations

from typing import Any

import pytest

from quorate import BadRequest, Client
from quorate.watch import Watch
from storage.envelope import wrap_queries
from storage.kv import KeyValueStore
from storage.kv_protocol import Change, Changes, decode_query
from storage.kv_protocol import Watch as Query
from storage.sessions import SessionMachine
from tests.unit.client.servers import FakeServer, ok
from tests.unit.client.test_client import Script, Served
from transport.client.protocol import STALE, Request, Response, decode_payload


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


class Behind(Script):
    """A server that has applied nothing yet itself; it may know no leader either."""

    knows_leader = True

    def __call__(self, request: Request) -> Served:
        """Answer one request."""
        if request.op == "read":
            queries, consistency = decode_payload(request.payload)
            if consistency == STALE:
                own = SessionMachine(KeyValueStore())
                return ok(request, [decode_payload(own.read(wrap_queries(queries))), 1, 0])
            if not self.knows_leader:
                return Response(request.id, "no_leader", b"", "no leader")
        return super().__call__(request)


@pytest.mark.parametrize("kind", [Script, Behind])
async def test_a_revision_of_the_future(kind: type[Script]) -> None:
    """It is refused; one that the cluster has come to is not, though the server that is asked has not."""
    with FakeServer(kind()) as server:
        async with Client(server.address) as client:
            last = await client.kv.put("a", "1")
            with pytest.raises(BadRequest, match="revision 2 is not reached yet; the last is 1"):
                await client.kv.watch("a", after=last + 1)
            assert (await client.kv.watch("a", after=last)).revision == last
            assert (await client.kv.watch("a", after=0)).revision == 0


async def test_a_revision_that_nobody_can_judge() -> None:
    """While there is no leader a watch begins all the same: the server it asks may be behind."""
    script = Behind()
    script.knows_leader = False
    with FakeServer(script) as server:
        async with Client(server.address, timeout_s=0.3) as client:
            assert (await client.kv.watch("a", after=7)).revision == 7
