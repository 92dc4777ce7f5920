"""Other models than the register, and what a model refuses."""

from __future__ import annotations

import pytest

from tests.linearizability.checker import Answer, check
from tests.linearizability.history import HistoryError
from tests.linearizability.models import Model, Register
from tests.linearizability.operation import Operation, Value
from tests.unit.linearizability.stories import ok, tell, unknown


class Queue(Model[tuple[Value, ...]]):
    """First in, first out: `put VALUE` and `take`, which gives nothing where nothing is."""

    name = "queue"

    def initial(self) -> tuple[Value, ...]:
        """Empty."""
        return ()

    def apply(self, state: tuple[Value, ...], operation: Operation) -> tuple[tuple[Value, ...], Value]:
        """See the class."""
        if operation.function == "put":
            return (*state, *operation.arguments), None
        return state[1:], state[0] if state else None


def test_a_model_needs_no_hints() -> None:
    """What comes out of a queue comes in the order in which it went in, as far as that is one."""
    puts = (ok("a", (0, 2), "put", 1), ok("b", (1, 3), "put", 2), unknown("c", (1, 2), "put", 3))
    in_order = tell(
        *puts, ok("a", (4, 5), "put", 4), ok("d", (6, 9), "take", gives=2), ok("e", (6, 9), "take", gives=1)
    )
    out_of_order = tell(*puts, ok("a", (4, 5), "put", 4), ok("d", (6, 7), "take", gives=4))
    maybe = tell(*puts, *(ok("d", (at, at + 0.5), "take", gives=value) for at, value in ((4, 1), (5, 3), (6, 2))))

    assert check(in_order, Queue()).answer is Answer.YES
    assert check(out_of_order, Queue()).answer is Answer.NO
    assert check(maybe, Queue()).answer is Answer.YES


class Sum(Model[int]):
    """A number: `add N` and `read`."""

    name = "sum"

    def initial(self) -> int:
        """Zero."""
        return 0

    def apply(self, state: int, operation: Operation) -> tuple[int, Value]:
        """See the class."""
        if operation.function == "read":
            return state, state
        (number,) = operation.arguments
        assert isinstance(number, int)
        return state + number, None


def test_what_an_open_operation_was_spent_on_can_be_had_for_less() -> None:
    """Three is one and two, or three; only who has not spent one and two can go on to four."""
    adds = [unknown(f"c{number}", (0, 1), "add", number) for number in (1, 2, 3)]

    def reads(*sums: int) -> list[Operation]:
        return [ok("r", (at, at + 0.5), "read", gives=total) for at, total in enumerate(sums, start=2)]

    assert check(tell(*adds, *reads(3, 4, 6)), Sum()).answer is Answer.YES
    assert check(tell(*adds, *reads(3, 4, 5)), Sum()).answer is Answer.NO
    assert check(tell(*adds, *reads(1, 3, 6)), Sum()).answer is Answer.YES
    assert check(tell(*adds, *reads(2, 2, 5, 6)), Sum()).answer is Answer.YES


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (ok("a", (0, 1), "increment"), "no function 'increment'"),
        (ok("a", (0, 1), "write"), "takes 1 arguments, not 0"),
        (ok("a", (0, 1), "write", "x", gives=7), "write does not return 7"),
        (ok("a", (0, 1), "cas", "x", "y"), "cas does not return None"),
        (ok("a", (0, 1), "delete", gives="x"), "delete does not return 'x'"),
    ],
)
def test_what_is_no_operation_of_a_register_is_no_verdict(operation: Operation, fault: str) -> None:
    """A recorder's mistake must not look like the cluster's."""
    with pytest.raises(HistoryError, match=f"#1: .*{fault}"):
        check(tell(operation), Register())
