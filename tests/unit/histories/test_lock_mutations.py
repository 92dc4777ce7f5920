"""Random histories of a lock that keeps its promises are accepted, and each of them with one event changed is not."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tests.histories.lock_checker import check_locks
from tests.histories.lock_history import ACQUIRE, GUARDED, RENEW, SEEN
from tests.linearizability.operation import Operation, Outcome
from tests.unit.histories.locking import (
    TTL_MS,
    acquire,
    during,
    grant,
    guarded,
    holder,
    lost,
    renew,
    revoke,
    seen,
    tell,
    unknown,
)

STEP_S = 0.1
ENDS = ("released", "expired", "killed")


class Service:
    """A lock and what it guards, as they should be; every operation takes half a step."""

    def __init__(self) -> None:
        self.events: list[Operation] = []
        self.now_s = 1.0
        self.revision = 0
        self.value: str | None = None
        self.count = 0

    def tell(self, operation: Operation) -> Operation:
        """It happens now."""
        timed = during((self.now_s, self.now_s + STEP_S / 2), operation)
        self.events.append(timed)
        self.now_s += STEP_S
        return timed

    def hold(self, lease: int, client: str) -> int:
        """A client acquires the lock, on a new lease; returns the token."""
        began_s = self.now_s
        self.now_s += STEP_S / 10
        self.tell(grant(lease, client))
        self.revision += 1
        self.events.append(during((began_s, self.now_s), acquire(self.revision, client)))
        self.now_s += STEP_S
        return self.revision

    def write(self, token: int, client: str, *, is_good: bool = True, is_known: bool = True) -> None:
        """A write with a token; one that is good is taken."""
        self.count += 1
        value = f"{self.count}"
        self.revision += is_good
        write = guarded(token, self.value, value, self.revision if is_good else None, client)
        self.tell(write if is_known else unknown(write))
        if is_good:
            self.tell(seen(self.revision, token, value))
            self.value = value


@st.composite
def kept_histories(draw: st.DrawFn) -> list[Operation]:
    """Some holders in turn, who give the lock back, or are not heard any more, and try to write when it is over."""
    service = Service()
    for number in range(1, draw(st.integers(1, 4)) + 1):
        client = f"c{number}"
        token = service.hold(number, client)
        for _ in range(draw(st.integers(1, 3))):
            service.write(token, client, is_known=draw(st.booleans()))
            service.tell(renew(number, client=client))
            service.tell(holder(token))
        end = draw(st.sampled_from(ENDS))
        if end == "released":
            service.tell(revoke(number, client=client))
        else:
            service.now_s += TTL_MS / 1000
        if end == "expired":
            service.tell(renew(number, alive=False, client=client))
            service.tell(lost(token, client))
        service.revision += 1
        if end != "killed":
            service.write(token, client, is_good=False)
        service.tell(holder(None))
    return service.events


Mutation = Callable[[Operation], Operation]


def taken_after_all(operation: Operation) -> Operation:
    """A write that was refused is told as done."""
    return evolve(operation, result=1_000)


def refused_after_all(operation: Operation) -> Operation:
    """A write that is there is told as refused."""
    return evolve(operation, outcome=Outcome.OK, result=None)


def another_token(operation: Operation) -> Operation:
    """The resource took it with another token."""
    place, token, value = operation.arguments
    assert isinstance(token, int)
    return evolve(operation, arguments=(place, token + 1, value))


def another_value(operation: Operation) -> Operation:
    """The resource took something else."""
    place, token, _ = operation.arguments
    return evolve(operation, arguments=(place, token, "other"))


def of_another_value(operation: Operation) -> Operation:
    """It was not made from what was there."""
    lock, token, _, value = operation.arguments
    return evolve(operation, arguments=(lock, token, "other", value))


def never_acquired(operation: Operation) -> Operation:
    """The token is lower than any."""
    return evolve(operation, result=0)


def ended_early(operation: Operation) -> Operation:
    """A renewal that was made is told as come too late."""
    return evolve(operation, result=False)


MUTATIONS: dict[Mutation, Callable[[Operation], bool]] = {
    taken_after_all: lambda one: one.function == GUARDED and one.is_definite and one.result is None,
    refused_after_all: lambda one: one.function == GUARDED and (not one.is_definite or one.result is not None),
    another_token: lambda one: one.function == SEEN,
    another_value: lambda one: one.function == SEEN,
    of_another_value: lambda one: one.function == GUARDED and (not one.is_definite or one.result is not None),
    never_acquired: lambda one: one.function == ACQUIRE and one.client != "c1",
    ended_early: lambda one: one.function == RENEW and one.result is True,
}
"""Each with the operations that it changes."""


@given(kept_histories())
def test_what_a_sound_lock_does_is_accepted(events: list[Operation]) -> None:
    """Whether holders give it back or not, and whoever comes late."""
    assert list(map(str, check_locks(tell(*events)))) == []


@given(kept_histories(), st.sampled_from(list(MUTATIONS)), st.data())
def test_one_changed_event_is_found_out(events: list[Operation], mutation: Mutation, data: st.DataObject) -> None:
    """Whichever, in whichever way."""
    places = [place for place, event in enumerate(events) if MUTATIONS[mutation](event)]
    if places:
        place = data.draw(st.sampled_from(places))
        events[place] = mutation(events[place])
        assert check_locks(tell(*events)), events[place]
