"""`quorate.SyncClient`: the key-value store without `await`, with the same names, results and errors as `Client`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from quorate import BadRequest, Compare, Conflict, Delete, Get, OutcomeUnknown, Put, RequestFailed, SyncClient, TooLarge
from quorate.key_value import KeyValue
from quorate.sync_client import SyncKeyValue
from storage.kv import KeyValueStore
from storage.kv_protocol import Found
from tests.unit.client.servers import HANG_UP, FakeServer, ok
from transport.client.protocol import Request, Response, decode_payload


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with a real store."""
    store = KeyValueStore()

    def answer(request: Request) -> Response:
        payload = decode_payload(request.payload)
        if request.op == "propose":
            return ok(request, [store.apply(payload[0])])
        return ok(request, [store.read(payload[0]), 1, 20])

    with FakeServer(answer) as server:
        yield server


def test_every_call(server: FakeServer) -> None:
    """Each does what it does with `await`."""
    with SyncClient(server.address) as client:
        kv = client.kv
        assert kv.get("a") is None
        assert kv.put("a", "1") == 1
        assert kv.get("a") == Found("a", b"1", 1)
        assert kv.get_stale("a").age_s == 0.02
        assert kv.put_many({"b": "2", "c": b"3"}) == 2
        assert [item.key for item in kv.list("", start="b", limit=1).items] == ["b"]
        assert (kv.cas("a", "1", "x"), kv.cas("a", "1", "y"), kv.cas("new", None, "n")) == (True, False, True)
        assert kv.get("a", revision=1) == Found("a", b"1", 1)
        assert (kv.delete("b"), kv.delete("b")) == (True, False)
        answer = kv.txn([Compare("a", "value", "==", b"x")], [Put("a", b"z"), Get("a"), Delete("c")])
        assert (answer.succeeded, answer.results) == (True, [None, Found("a", b"z", answer.revision), True])


def test_errors_are_those_of_the_client(server: FakeServer) -> None:
    """What is wrong is said before anything is sent, or by the store."""
    with SyncClient(server.address) as client:
        client.kv.put("a", "1", timeout_s=2.5)
        with pytest.raises(Conflict) as lost:
            client.kv.put("a", "2", revision=0)
        assert lost.value.revision == 1
        sent = len(server.requests)
        with pytest.raises(TypeError, match="a value is bytes or str, not int"):
            client.kv.put("a", 3)  # type: ignore[arg-type]
        with pytest.raises(BadRequest, match="use txn"):
            client.kv.put("a", "3", revision=1, lease=1)
        with pytest.raises(TooLarge, match="the limit is"):
            client.kv.put("a", b"x" * 2_000_000)

    assert len(server.requests) == sent
    assert server.requests[0].timeout_ms == 2_500


def test_nothing_is_sent_twice() -> None:
    """A write that is not answered is in doubt."""
    with (
        FakeServer(lambda _: HANG_UP) as server,
        SyncClient(server.address, timeout_s=30) as client,
        pytest.raises(OutcomeUnknown, match="the connection broke"),
    ):
        client.kv.put("a", "1")

    assert len(server.requests) == 1


def test_another_state_machine() -> None:
    """Its answers are not taken for the store's."""
    with (
        FakeServer(lambda request: ok(request, [b"7", 1, 0])) as server,
        SyncClient(server.address) as client,
        pytest.raises(RequestFailed, match="another state machine"),
    ):
        client.kv.get("a")


@pytest.mark.parametrize("name", [name for name in vars(SyncKeyValue) if name[0] != "_"])
def test_the_parameters_are_those_of_the_client(name: str) -> None:
    """So that code moves between the two by an `await`."""
    assert inspect.signature(getattr(SyncKeyValue, name)) == inspect.signature(getattr(KeyValue, name))
