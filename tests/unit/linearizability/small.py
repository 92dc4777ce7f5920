"""Small random histories, most of which are nearly right: what the checker is held against brute force with."""

from __future__ import annotations

from attrs import evolve
from hypothesis import strategies as st

from tests.linearizability.models import Register
from tests.linearizability.operation import Operation, Outcome, Value

CALLS: dict[str, int] = {"read": 0, "write": 1, "cas": 2, "delete": 0}


@st.composite
def small_histories(
    draw: st.DrawFn, *, functions: tuple[str, ...] = tuple(CALLS), once: bool = False, most: int = 6
) -> list[Operation]:
    """Three to `most` operations of one key. once: every value is written once at most.

    The results come from a real register that carried them out in the order of their numbers; the times do not quite
    keep to that order, and a result is now and then another one.
    """
    values = st.sampled_from(["a", "b", None, "c"])
    state: Value = None
    operations = []
    for number in range(1, draw(st.integers(3, most)) + 1):
        function = draw(st.sampled_from(functions))
        arguments: list[Value] = [draw(values) for _ in range(CALLS[function])]
        if once and arguments:
            arguments[-1] = f"v{number}"
        if once and function == "cas":
            # What is there, or what was or will be: compare-and-sets that build on each other.
            arguments[0] = draw(st.sampled_from([state, state, *(f"v{other}" for other in range(1, number + 3))]))
        invoked_s = number + draw(st.integers(-4, 1))
        operation = Operation(
            number=number,
            client=f"c{number}",
            key="k",
            function=function,
            arguments=tuple(arguments),
            outcome=draw(st.sampled_from([Outcome.OK, Outcome.OK, Outcome.OK, Outcome.UNKNOWN, Outcome.FAILED])),
            result=None,
            invoked_s=invoked_s,
            returned_s=invoked_s + draw(st.integers(0, 4)),
        )
        if operation.outcome is not Outcome.FAILED and (operation.is_definite or draw(st.booleans())):
            state, result = Register().apply(state, operation)
            if operation.is_definite:
                operation = evolve(operation, result=result)
        operations.append(draw(_told_wrong(operation)) if draw(st.integers(0, 5)) == 0 else operation)
    return operations


def _told_wrong(operation: Operation) -> st.SearchStrategy[Operation]:
    results: st.SearchStrategy[Value] = {
        "read": st.sampled_from(["a", "b", None, "v1", "v2"]),
        "write": st.none(),
        "cas": st.booleans(),
        "delete": st.booleans(),
    }[operation.function]
    return results.map(lambda result: evolve(operation, result=result if operation.is_definite else None))
