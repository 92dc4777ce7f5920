"""What is to be ordered: the operations of one key, simplified and sorted. Nothing else lives here."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from attrs import field, frozen

from tests.linearizability.models import Model
from tests.linearizability.operation import Operation, Outcome


@frozen
class Problem:
    """The history of one key. definite: what was carried out, by invocation. open: what may have been, likewise.

    What has failed is in neither: it was not carried out.
    """

    model: Model[Any]
    definite: tuple[Operation, ...]
    open: tuple[Operation, ...]
    initial: Hashable = field(init=False)

    @initial.default
    def _initial(self) -> Hashable:
        initial: Hashable = self.model.initial()
        return initial

    @classmethod
    def of(cls, operations: Sequence[Operation], model: Model[Any]) -> Problem:
        """The problem of one key's operations, simplified as the model knows how."""
        alive = [operation for operation in operations if operation.outcome is not Outcome.FAILED]
        ordered = sorted(model.simplify(alive), key=_by_invocation)
        return cls(
            model,
            tuple(operation for operation in ordered if operation.is_definite),
            tuple(operation for operation in ordered if not operation.is_definite),
        )


def _by_invocation(operation: Operation) -> tuple[float, float, int]:
    return operation.invoked_s, operation.closes_s, operation.number
