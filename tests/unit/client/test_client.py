"""The async client against servers that are played: who is asked, what is tried again, and what is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from quorate import (
    Client,
    Conflict,
    NoLeader,
    OutcomeUnknown,
    SessionExpired,
    TooLarge,
    Unreachable,
)
from storage.envelope import EXPIRED, OPEN, RAW, SESSION, wrap_queries
from storage.kv import KeyValueStore
from storage.sessions import SessionLimits, SessionMachine
from tests.ports import free_ports
from tests.unit.client.servers import HANG_UP, FakeServer, ok
from transport.client.protocol import Request, Response, decode_payload
from transport.client.session_protocol import SESSION_OPEN, SESSION_PROPOSE

Served = Response | bytes | None


WRITES = ("propose", SESSION_PROPOSE)


class Script:
    """One server's part: the members it names, and how it answers commands.  Servers of one cluster share a machine."""

    def __init__(
        self, propose: Callable[[Request], Served] | None = None, machine: SessionMachine | None = None
    ) -> None:
        self.rows: list[dict[str, Any]] = []
        self.machine = machine or SessionMachine(KeyValueStore())
        self.propose = propose or self.apply

    def __call__(self, request: Request) -> Served:
        """Answer one request."""
        payload = decode_payload(request.payload)
        if request.op == "members":
            return ok(request, self.rows)
        if request.op in WRITES:
            return self.propose(request)
        if request.op == SESSION_OPEN:
            return ok(request, self.machine.apply(OPEN + payload)[1:])
        if request.op == "read":
            answers = decode_payload(self.machine.read(wrap_queries(payload[0])))
            return ok(request, [answers, 1, 0])
        return ok(request, {"op": request.op})

    def apply(self, request: Request) -> Response:
        """As a gateway answers, with the state machine at hand."""
        if request.op == "propose":
            commands = decode_payload(request.payload)
            return ok(request, [self.machine.apply(RAW + command)[1:] for command in commands])
        result = self.machine.apply(SESSION + request.payload)
        if result == EXPIRED:
            return Response(request.id, "session_expired", b"", "expired")
        return Response(request.id, "ok", result[1:])


def row(server: FakeServer, role: str) -> dict[str, Any]:
    """A member as servers name it."""
    return {"name": server.address, "address": server.address, "status": "alive", "role": role}


def count(server: FakeServer, op: str) -> int:
    """How many requests of a kind a server got; "write": commands, in a session or not."""
    return sum(request.op in (WRITES if op == "write" else (op,)) for request in server.requests)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what is about to happen; the test's time limit ends a wait for what does not."""
    while not condition():  # noqa: ASYNC110 - what happens happens in another thread
        await asyncio.sleep(0.005)


async def test_the_key_value_store() -> None:
    """put, get, delete, cas and list, with the types a program wants."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            assert await client.kv.put("a", "1") == 1
            found = await client.kv.get("a")
            assert found is not None
            assert (found.value, found.revision) == (b"1", 1)
            assert await client.kv.get("b") is None
            assert await client.kv.cas("a", b"1", b"2")
            assert not await client.kv.cas("a", "1", "3")
            assert await client.kv.cas("new", None, "x")
            with pytest.raises(Conflict) as caught:
                await client.kv.put("a", "4", revision=1)
            assert caught.value.revision == 2
            page = await client.kv.list()
            assert [(item.key, item.value) for item in page.items] == [("a", b"2"), ("new", b"x")]
            assert await client.kv.delete("a")
            assert not await client.kv.delete("a")
            with pytest.raises(TooLarge, match="limit"):
                await client.kv.put("a", bytes(1 << 20))


async def test_many_keys_at_once() -> None:
    """All of them, and one revision."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            assert await client.kv.put_many({"a": "1", "b": b"2"}) == 1
            page = await client.kv.list()
            assert [(item.key, item.value, item.revision) for item in page.items] == [("a", b"1", 1), ("b", b"2", 1)]


async def test_concurrent_calls_share_a_request() -> None:
    """A hundred calls at once are one frame on one connection, and every call gets its own result."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            revisions = await asyncio.gather(*(client.kv.put(f"k{i}", b"") for i in range(100)))

        assert revisions == list(range(1, 101))
        assert count(server, "write") == 1


async def test_the_leader_is_found_and_asked() -> None:
    """One address is enough: the members say who else there is, and commands go straight to the leader."""
    one_script, two_script = Script(), Script()
    with FakeServer(one_script) as one, FakeServer(two_script) as two:
        one_script.rows = two_script.rows = [row(one, "follower"), row(two, "leader")]
        async with Client(one.address) as client:
            await until(lambda: client._best() is client._links.get(two.address))
            await client.kv.put("a", "1")

        assert (count(one, "write"), count(two, "write")) == (0, 1)


async def test_a_raw_command_that_may_have_been_applied_is_not_sent_again() -> None:
    """The leader died over a write without a session: the other server is there, and is not given it."""
    one_script, two_script = Script(), Script(lambda _: HANG_UP)
    with FakeServer(one_script) as one, FakeServer(two_script) as two:
        one_script.rows = two_script.rows = [row(one, "follower"), row(two, "leader")]
        async with Client(one.address, timeout_s=20, exactly_once=False) as client:
            await until(lambda: client._best() is client._links.get(two.address))
            started = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                await client.kv.put("a", "1")
            assert time.monotonic() - started < 10, "it was noticed when the connection broke"
            one_script.rows = [row(one, "leader")]
            assert await client.kv.put("b", "2") == 1

        assert count(one, "write") == 1


async def test_a_command_that_was_applied_without_an_answer_is_applied_once() -> None:
    """The leader applied a write and died before it said so: the next one is given it too, and says what it was."""
    script = Script()

    def apply_and_die(request: Request) -> Served:
        script.apply(request)
        return HANG_UP

    dying = Script(apply_and_die, script.machine)
    with FakeServer(script) as one, FakeServer(dying) as two:
        script.rows = dying.rows = [row(one, "follower"), row(two, "leader")]
        async with Client(one.address, timeout_s=20) as client:
            await until(lambda: client._best() is client._links.get(two.address))

            assert await client.kv.put("a", "1") == 1
            assert await client.kv.put("b", "2") == 2

        assert (count(one, "write"), count(two, "write")) == (2, 1)


async def test_an_expired_session_is_replaced_when_nothing_is_in_doubt() -> None:
    """A client that slept while others came finds its session gone: its next command certainly was not applied yet."""
    script = Script(machine=SessionMachine(KeyValueStore(), SessionLimits(sessions_max=1)))
    with FakeServer(script) as server:
        async with Client(server.address) as sleeper, Client(server.address) as other:
            assert await sleeper.kv.put("a", "1") == 1
            assert await other.kv.put("b", "2") == 2
            assert await sleeper.kv.put("c", "3") == 3

        assert count(server, SESSION_OPEN) == 3


async def test_a_command_in_doubt_is_not_applied_in_another_session() -> None:
    """It may have been applied before its session expired: nobody can tell, and that is what the caller hears."""
    script = Script()

    def apply_and_forget(request: Request) -> Served:
        script.apply(request)
        script.machine = SessionMachine(KeyValueStore())
        script.propose = script.apply
        return HANG_UP

    script.propose = apply_and_forget
    port = free_ports(1)
    with FakeServer(script, port) as server:
        client = Client(server.address, timeout_s=20)
        await client.connect()
        waiting = asyncio.create_task(client.kv.put("a", "1"))
        await until(lambda: count(server, "write") == 1)
    with FakeServer(script, port):
        with pytest.raises(SessionExpired) as caught:
            await waiting
        assert not caught.value.certainly_not_applied
        assert caught.value.exit_code == 4
        assert await client.kv.put("b", "2") == 1
        await client.close()


async def test_concurrent_reads_share_a_request() -> None:
    """By consistency; every caller gets its own answer."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            await asyncio.gather(*(client.kv.put(f"k{i}", f"{i}") for i in range(50)))
            linearizable = [client.kv.get(f"k{i}") for i in range(50)]
            found = await asyncio.gather(*linearizable)
            stale = await asyncio.gather(*(client.kv.get_stale(f"k{i}") for i in range(50)))

        assert [one.value for one in found if one] == [b"%d" % i for i in range(50)]
        assert [(one.answer.value, one.age_s) for one in stale if one.answer] == [(b"%d" % i, 0.0) for i in range(50)]
        assert count(server, "read") == 2


async def test_no_leader_is_tried_again_elsewhere() -> None:
    """A server cut off from its cluster says so; the next one has a leader."""
    served = Script()
    lonely = Script(lambda request: Response(request.id, "no_leader", b"", "no leader"), served.machine)
    with FakeServer(lonely) as one, FakeServer(served) as two:
        async with Client(one.address, two.address) as client:
            await until(lambda: all(link.is_up for link in client._links.values()))
            client._preferred = one.address
            assert await client.kv.put("a", "1") == 1

        assert (count(one, "write") >= 1, count(two, "write")) == (True, 1)


async def test_a_server_that_has_diverged_is_left_alone() -> None:
    """It answers no read from its store; another one does."""
    served = Script()

    def diverged(request: Request) -> Served:
        return Response(request.id, "diverged", b"", "not here") if request.op == "read" else served(request)

    with FakeServer(diverged) as one, FakeServer(served) as two:
        async with Client(one.address, two.address) as client:
            await until(lambda: all(link.is_up for link in client._links.values()))
            client._preferred = one.address
            assert (await client.kv.get_stale("a")).answer is None

        assert (count(one, "read") >= 1, count(two, "read")) == (True, 1)


async def test_no_leader_anywhere_ends_at_the_deadline() -> None:
    """Certain: nothing was changed."""
    script = Script(lambda request: Response(request.id, "no_leader", b"", "no leader"))
    with FakeServer(script) as server:
        async with Client(server.address) as client:
            with pytest.raises(NoLeader):
                await client.kv.put("a", "1", timeout_s=0.3)

        assert count(server, "write") > 1


async def test_reads_go_to_another_server_when_theirs_is_lost() -> None:
    """The caller does not notice."""
    script = Script()
    with (
        FakeServer(lambda request: HANG_UP if request.op == "read" else script(request)) as one,
        FakeServer(Script()) as two,
    ):
        async with Client(one.address, two.address) as client:
            await until(lambda: all(link.is_up for link in client._links.values()))
            client._preferred = one.address
            assert await client.kv.get("a") is None

        assert (count(one, "read"), count(two, "read")) == (1, 1)


async def test_a_server_that_comes_back_is_used_again() -> None:
    """The connection is made anew by itself; calls made meanwhile wait for it."""
    port = free_ports(1)
    script = Script()
    with FakeServer(script, port) as server:
        client = Client(server.address, timeout_s=20)
        await client.connect()
        await client.kv.put("a", "1")
    await until(lambda: not client._links[f"127.0.0.1:{port}"].is_up)
    waiting = asyncio.create_task(client.kv.put("b", "2"))
    with FakeServer(script, port):
        assert await waiting == 2
        await client.close()


async def test_no_server_at_all() -> None:
    """Said at the time-out, with the address."""
    address = f"127.0.0.1:{free_ports(1)}"
    with pytest.raises(Unreachable, match=address):
        async with Client(address, timeout_s=0.2):
            pass


async def test_a_call_has_its_own_deadline() -> None:
    """A server that keeps quiet costs as long as the caller allows."""
    with FakeServer(Script(lambda _: None)) as server:
        async with Client(server.address, timeout_s=60) as client:
            with pytest.raises(OutcomeUnknown):
                await client.kv.put("a", "1", timeout_s=0.1)


async def test_closing_ends_calls_in_progress() -> None:
    """Nobody is left waiting, and nothing can be asked afterwards."""
    with FakeServer(Script(lambda _: None)) as server:
        client = Client(server.address)
        await client.connect()
        waiting = asyncio.create_task(client.kv.put("a", "1"))
        await until(lambda: count(server, "write") == 1)
        await client.close()
        with pytest.raises(OutcomeUnknown):
            await waiting
        with pytest.raises(Unreachable, match="closed"):
            await client.status()
        await client.close()


async def test_a_cancelled_call_disturbs_nobody() -> None:
    """Its result is dropped; the calls beside it get theirs."""
    script = Script(lambda _: None)
    with FakeServer(script) as server:
        async with Client(server.address, timeout_s=20) as client:
            first = asyncio.create_task(client.kv.put("a", "1"))
            await until(lambda: count(server, "write") == 1)
            script.propose = script.apply
            second = asyncio.create_task(client.kv.put("b", "2"))
            first.cancel()

            assert await second == 1


async def test_operators_questions_go_through_too() -> None:
    """`call`, `status` and `members` are for programs that watch a cluster."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            assert await client.call("raft.peers") == {"op": "raft.peers"}
            assert await client.status() == {"op": "status"}
            assert await client.members() == []
