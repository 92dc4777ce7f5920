"""The definition of linearizability, tried out: every subset of the open operations, in every order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

from tests.linearizability.models import Model
from tests.linearizability.operation import Operation, Outcome


def has_order(operations: Sequence[Operation], model: Model[Any]) -> bool:
    """Whether some order explains everything. For a handful of operations."""
    return any(explains(order, model) for order in _orders(operations) if keeps_real_time(order))


def keeps_real_time(order: Sequence[Operation]) -> bool:
    """Whether nothing comes after something that it was over before."""
    return not any(later.precedes(earlier) for earlier, later in combinations(order, 2))


def explains(order: Sequence[Operation], model: Model[Any]) -> bool:
    """Whether a register that carried these out one after the other would have given their results."""
    state = model.initial()
    for operation in order:
        state, result = model.apply(state, operation)
        if operation.is_definite and result != operation.result:
            return False
    return True


def _orders(operations: Sequence[Operation]) -> Iterator[Sequence[Operation]]:
    definite = [operation for operation in operations if operation.outcome is Outcome.OK]
    open_ = [operation for operation in operations if operation.outcome is Outcome.UNKNOWN]
    for count in range(len(open_) + 1):
        for chosen in combinations(open_, count):
            yield from permutations([*definite, *chosen])
