"""The recorder notes what clients did, when, and what they can know of it, and never more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf

import pytest

from tests.linearizability.operation import Operation, Outcome
from tests.linearizability.recorder import Recorder
from transport.client.errors import NoLeader, OutcomeUnknown


class Clock:
    """One second later each time it is asked."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def raise_within(recorder: Recorder, error: BaseException) -> None:
    """A client's operation that ends with an error."""
    with recorder.operation("a", "k", "write", "x") as operation:
        operation.result = "what is noted before an error is no result"
        raise error


@pytest.fixture
def recorder() -> Recorder:
    """A recorder by a clock of the test's."""
    return Recorder(Clock())


def test_a_block_that_ends_is_an_operation_that_was_carried_out(recorder: Recorder) -> None:
    """With its result, and the times around it."""
    with recorder.operation("a", "k", "cas", "x", b"y") as operation:
        operation.result = True

    assert list(recorder.history()) == [Operation(1, "a", "k", "cas", ("x", b"y"), Outcome.OK, True, 1.0, 2.0)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NoLeader("nobody was asked"), Outcome.FAILED),
        (OutcomeUnknown("it was sent"), Outcome.UNKNOWN),
        (TimeoutError(), Outcome.UNKNOWN),
        (asyncio.CancelledError(), Outcome.UNKNOWN),
        (KeyboardInterrupt(), Outcome.UNKNOWN),
        (AssertionError("a fault of the client"), Outcome.UNKNOWN),
    ],
)
def test_an_error_tells_what_became_of_the_operation(
    recorder: Recorder, error: BaseException, outcome: Outcome
) -> None:
    """Only an error that says so means that nothing was done; and every error goes on to the caller."""
    with pytest.raises(type(error)):
        raise_within(recorder, error)

    assert list(recorder.history()) == [Operation(1, "a", "k", "write", ("x",), outcome, None, 1.0, 2.0)]


def test_what_counts_as_a_failure_is_the_callers_to_say() -> None:
    """Other clients have other errors."""
    recorder = Recorder(Clock(), failed=lambda error: isinstance(error, ZeroDivisionError))

    with suppress(ZeroDivisionError), recorder.operation("a", "k", "write", "x"):
        raise ZeroDivisionError

    assert [operation.outcome for operation in recorder.history()] == [Outcome.FAILED]


async def test_clients_overlap(recorder: Recorder) -> None:
    """Operations are numbered by their invocations, and end when their awaits do."""
    answered = {client: asyncio.Event() for client in "abc"}

    async def ask(client: str) -> None:
        with recorder.operation(client, "k", "read") as operation:
            await answered[client].wait()
            operation.result = client

    async with asyncio.TaskGroup() as clients:
        for client in "abc":
            clients.create_task(ask(client))
            await asyncio.sleep(0)
        for client in "cab":
            answered[client].set()
            await asyncio.sleep(0)

    times = [(operation.client, operation.invoked_s, operation.returned_s) for operation in recorder.history()]
    assert times == [("a", 1.0, 5.0), ("b", 2.0, 6.0), ("c", 3.0, 4.0)]


async def test_what_is_under_way_is_open(recorder: Recorder) -> None:
    """A history may be taken at any time; one that is taken later knows more."""
    with recorder.operation("a", "k", "write", "x"):
        (under_way,) = recorder.history()
    (ended,) = recorder.history()

    assert (under_way.outcome, under_way.returned_s) == (Outcome.UNKNOWN, inf)
    assert (ended.outcome, ended.returned_s) == (Outcome.OK, 2.0)
