"""The blocking client: one answer, or the clearest word on why there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from tests.ports import free_ports
from tests.unit.client.servers import HANG_UP, FakeServer, ok
from transport import keys
from transport.client.errors import (
    BadRequest,
    ClientError,
    Diverged,
    NoLeader,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Refused,
    RequestFailed,
    TooLarge,
    Unreachable,
)
from transport.client.protocol import Request, Response, decode_payload
from transport.client.stale import AGE_UNKNOWN_MS, Stale
from transport.client.sync_client import SyncClient
from transport.errors import AddressError
from transport.wire import ErrorReply


def test_an_answer_is_decoded() -> None:
    """The arguments arrive, and the answer comes back."""
    with (
        FakeServer(lambda request: ok(request, {"got": decode_payload(request.payload)})) as server,
        SyncClient(server.address) as client,
    ):
        assert client.call("members", {"why": "x"}) == {"got": {"why": "x"}}
        assert client.call("status") == {"got": {}}

        assert [(request.op, request.timeout_ms) for request in server.requests] == [
            ("members", 5_000),
            ("status", 5_000),
        ]


def test_proposals_and_reads() -> None:
    """Commands and queries are bytes both ways."""

    def answer(request: Request) -> Response:
        payload = decode_payload(request.payload)
        if request.op == "propose":
            return ok(request, [payload[0].upper()])
        return ok(
            request, [b"-".join([payload[0], payload[1].encode()]), 9, AGE_UNKNOWN_MS if payload[0] == b"u" else 70]
        )

    with FakeServer(answer) as server, SyncClient(server.address) as client:
        assert client.propose(b"a") == b"A"
        assert client.read(b"q") == b"q-linearizable"
        assert client.read_stale(b"q") == Stale(b"q-stale", 0.07)
        assert client.read_stale(b"u") == Stale(b"u-stale", None)


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("no_leader", NoLeader, 4),
        ("diverged", Diverged, 4),
        ("outcome_unknown", OutcomeUnknown, 4),
        ("overloaded", Overloaded, 1),
        ("too_large", TooLarge, 1),
        ("not_found", NotFound, 1),
        ("refused", Refused, 1),
        ("bad_request", BadRequest, 1),
        ("failed", RequestFailed, 1),
        ("timeout", RequestFailed, 1),
        ("of the future", RequestFailed, 1),
    ],
)
def test_every_code_has_its_exception_and_exit_code(code: str, kind: type[ClientError], exit_code: int) -> None:
    """The server's words are kept; the exit code is the command's."""
    with (
        FakeServer(lambda request: Response(request.id, code, b"", "because")) as server,
        SyncClient(server.address) as client,
        pytest.raises(kind, match="because") as caught,
    ):
        client.propose(b"a")

    assert caught.value.exit_code == exit_code


def test_no_server_is_said_at_once() -> None:
    """A refused connection does not use up the time-out."""
    with (
        SyncClient(f"127.0.0.1:{free_ports(1)}", timeout_s=30) as client,
        pytest.raises(Unreachable, match=r"connection refused.*start"),
    ):
        client.call("status")


def test_a_name_nobody_knows() -> None:
    """What failed is the name, not the server."""
    with (
        SyncClient("no-such-host.invalid:7946", timeout_s=30) as client,
        pytest.raises(Unreachable, match="no-such-host"),
    ):
        client.call("status")


def test_a_text_that_is_no_address() -> None:
    """A usage error."""
    with pytest.raises(AddressError) as caught:
        SyncClient("localhost")

    assert caught.value.exit_code == 2


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word, as a stopped process does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_server_that_says_nothing(silent_port: int) -> None:
    """A SIGSTOPped server takes connections; the time-out ends the wait."""
    with (
        SyncClient(f"127.0.0.1:{silent_port}", timeout_s=0.2) as client,
        pytest.raises(Unreachable, match=r"says nothing within 0\.2 s"),
    ):
        client.call("status")


def answer_nothing(request: Request) -> None:
    """Read and keep quiet."""


def test_no_answer_to_a_question_is_unreachable_to_a_command_unknown() -> None:
    """The exit codes differ, because what a user has to do differs."""
    with FakeServer(answer_nothing) as server, SyncClient(server.address) as client:
        with pytest.raises(Unreachable, match=r"no answer within 0\.1 s"):
            client.call("status", timeout_s=0.1)
        with pytest.raises(OutcomeUnknown, match="may or may not"):
            client.call("propose", [b"a"], timeout_s=0.1)


def test_a_late_answer_is_not_taken_for_the_next_ones() -> None:
    """Answers go by id."""
    held: list[Request] = []

    def late(request: Request) -> Any:
        held.append(request)
        return ok(held[0], "first") if len(held) > 1 else None

    with FakeServer(late) as server, SyncClient(server.address) as client:
        with pytest.raises(Unreachable):
            client.call("status", timeout_s=0.05)
        with pytest.raises(Unreachable):
            client.call("status", timeout_s=0.05)


def test_a_connection_that_breaks_ends_the_wait() -> None:
    """A killed server is noticed when its connection goes, not at the deadline."""
    with (
        FakeServer(lambda _: HANG_UP) as server,
        SyncClient(server.address, timeout_s=30) as client,
        pytest.raises(OutcomeUnknown, match="the connection broke"),
    ):
        client.propose(b"a")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (
            ErrorReply("ActorDied", "the server is stopping"),
            OutcomeUnknown("the server is stopping; what was asked may or may not have been done"),
        ),
        (ErrorReply("MailboxFull", "it is full"), Overloaded("it is full")),
        (
            ErrorReply("NoActor", "there is no actor gateway"),
            Unreachable("the server is starting or stopping: ask another one; nothing was changed"),
        ),
    ],
)
def test_the_servers_runtime_may_answer_in_place_of_the_gateway(reply: ErrorReply, error: ClientError) -> None:
    """A gateway that died over a request, was too full to see it, or is not there: whether it may be done is said."""
    with (
        FakeServer(lambda _: reply) as server,
        SyncClient(server.address) as client,
        pytest.raises(type(error), match=f"^{error}$"),
    ):
        client.propose(b"a")


@pytest.mark.parametrize("op", ["read", "status", "members"])
def test_a_question_has_no_unknown_outcome(op: str) -> None:
    """A gateway that died over one leaves nothing behind: the server gave no answer, and may be asked again."""
    with (
        FakeServer(lambda _: ErrorReply("ActorDied", "gateway@1 died")) as server,
        SyncClient(server.address) as client,
        pytest.raises(Unreachable, match=r"gateway@1 died; ask again, or another server$"),
    ):
        client.call(op)


def test_garbage_is_no_answer() -> None:
    """Whatever comes back, the client neither crashes nor believes it."""
    with (
        FakeServer(lambda _: b"\xff\xff garbage") as server,
        SyncClient(server.address) as client,
        pytest.raises(Unreachable),
    ):
        client.call("status", timeout_s=0.1)


def test_a_key_that_the_server_does_not_want() -> None:
    """The server runs without keys; the person learns that it is about the key."""
    key = keys.parse(keys.generate().encode(), "new")
    with (
        FakeServer(answer_nothing) as server,
        SyncClient(server.address, key=key, timeout_s=10) as client,
        pytest.raises(Unreachable, match="key"),
    ):
        client.call("status")


def test_a_key_that_the_server_wants() -> None:
    """The client has none; it is told to give one."""
    key = keys.parse(keys.generate().encode(), "new")
    assert key.server is not None
    context: zmq.SyncContext = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, key.server.secret)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    with SyncClient(f"127.0.0.1:{port}", timeout_s=10) as client, pytest.raises(Unreachable, match="--key FILE"):
        client.call("status")
    context.destroy(linger=0)
