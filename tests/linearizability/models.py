"""What operations mean: the sequential object that a history is held against.

What lives here: what any model must say, what it may say to make the search short, and the register. What does not:
the search (search.py), which knows no function by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from enum import Enum
from typing import Generic, TypeVar

from attrs import evolve

from tests.linearizability.operation import Operation, Value

State = TypeVar("State", bound=Hashable)


class Several(Enum):
    """In place of one state."""

    ANY = "any"
    """More states than one, or nobody knows."""
    NONE = "none"
    """No state at all."""


ANY, NONE = Several.ANY, Several.NONE


class Model(ABC, Generic[State]):
    """A deterministic sequential object. `name` is for people.

    `needs`, `makes` and `simplify` are hints: a model without them is checked as rightly, and more slowly.
    """

    name: str

    @abstractmethod
    def initial(self) -> State:
        """The state before the first operation."""

    @abstractmethod
    def apply(self, state: State, operation: Operation) -> tuple[State, Value]:
        """The state after the operation and the result it gives. The recorded result plays no part."""

    def fault(self, operation: Operation) -> str:
        """Why the operation is none of this model's, "" if it is."""
        return ""

    def needs(self, operation: Operation) -> State | Several:
        """The one state in which it gives its recorded result or, with none recorded, changes anything.

        ANY if there are several.
        """
        return ANY

    def makes(self, operation: Operation) -> State | Several:
        """The one state it leaves behind; of an open one, if it changes anything.

        NONE: it leaves the state as it was, as what makes what it needs does. ANY: there are several.
        """
        return ANY

    def simplify(self, operations: Sequence[Operation]) -> list[Operation]:
        """A history of the same verdict that is easier to search: fewer operations without outcome, more alike."""
        return list(operations)

    def describe(self, operation: Operation) -> str:
        """The operation and what it returned, as people write it."""
        asked = " ".join([operation.function, *map(shown, operation.arguments)])
        return f"{asked} → {shown(operation.result)}" if operation.is_definite else asked


SHOWN_CHARS_MAX = 24


def shown(value: Value) -> str:
    """A value for people, cut where it is long."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"


class Register(Model[Value]):
    """One value, or none: `read`, `write VALUE`, `cas OLD NEW` (true if it changed OLD to NEW; OLD None: if there was
    no value) and `delete` (true if there was a value).
    """

    name = "register"

    def initial(self) -> Value:
        """No value."""
        return None

    def apply(self, state: Value, operation: Operation) -> tuple[Value, Value]:
        """See the class."""
        match operation.function:
            case "read":
                return state, state
            case "write":
                return operation.arguments[0], None
            case "cas":
                old, new = operation.arguments
                return (new, True) if state == old else (state, False)
            case _:
                return None, state is not None

    def fault(self, operation: Operation) -> str:
        """Another function, or a count of arguments or a result that the function does not have."""
        arguments = {"read": 0, "write": 1, "cas": 2, "delete": 0}.get(operation.function)
        if arguments is None:
            return f"a register has no function {operation.function!r}"
        if len(operation.arguments) != arguments:
            return f"{operation.function} takes {arguments} arguments, not {len(operation.arguments)}"
        if operation.is_definite and not _is_result(operation):
            return f"{operation.function} does not return {operation.result!r}"
        return ""

    def needs(self, operation: Operation) -> Value | Several:
        """What was read, or found by a compare-and-set; nothing for a delete that found nothing."""
        match operation.function:
            case "read" if operation.is_definite:
                return operation.result
            case "cas" if not _is_lost(operation):
                return operation.arguments[0]
            case "delete" if operation.is_definite and not operation.result:
                return None
        return ANY

    def makes(self, operation: Operation) -> Value | Several:
        """What is written."""
        match operation.function:
            case "write":
                return operation.arguments[0]
            case "cas" if not _is_lost(operation) and operation.arguments[0] != operation.arguments[1]:
                return operation.arguments[1]
            case "delete" if operation.result or not operation.is_definite:
                return None
        return NONE

    def describe(self, operation: Operation) -> str:
        """A write returns nothing that is worth a word."""
        described = super().describe(operation)
        return described.removesuffix(f" → {shown(None)}") if operation.function == "write" else described

    def simplify(self, operations: Sequence[Operation]) -> list[Operation]:
        """Leave out what cannot matter without a known outcome, and let values that nobody tells apart be one value."""
        definite = [operation for operation in operations if operation.is_definite]
        open_ = [operation for operation in operations if not operation.is_definite and self.makes(operation) != NONE]
        # Only what needs "any value but this one" can be helped by a value that nobody saw.
        if not any(_is_choosy(operation) for operation in definite):
            open_ = self._useful(definite, open_)
        seen = self._told_apart(definite) | self._told_apart(open_)
        alike = next((value for value in map(_written, [*definite, *open_]) if value not in seen), None)
        kept = {operation.number for operation in (*definite, *open_)}
        return [_with_written(operation, alike, seen) for operation in operations if operation.number in kept]

    def _useful(self, definite: list[Operation], open_: list[Operation]) -> list[Operation]:
        seen, useful, rest = self._told_apart(definite), list[Operation](), open_
        while chosen := [operation for operation in rest if self.makes(operation) in seen]:
            useful += chosen
            rest = [operation for operation in rest if self.makes(operation) not in seen]
            seen |= self._told_apart(chosen)
        return useful

    def _told_apart(self, operations: list[Operation]) -> set[Value | Several]:
        """The values that make a difference to these operations."""
        lost = {operation.arguments[0] for operation in operations if _is_lost(operation)}
        return {None} | lost | {self.needs(operation) for operation in operations}


def _is_result(operation: Operation) -> bool:
    match operation.function:
        case "read":
            return True
        case "write":
            return operation.result is None
        case _:
            return isinstance(operation.result, bool)


def _is_lost(operation: Operation) -> bool:
    """A compare-and-set that found another value."""
    return operation.function == "cas" and operation.is_definite and not operation.result


def _is_choosy(operation: Operation) -> bool:
    """Whether its result says that the value was not a certain one."""
    return _is_lost(operation) or (operation.function == "delete" and bool(operation.result))


def _written(operation: Operation) -> Value:
    """The value it may leave behind; None if it leaves none."""
    return operation.arguments[-1] if operation.function in ("write", "cas") else None


def _with_written(operation: Operation, alike: Value, seen: set[Value | Several]) -> Operation:
    if _written(operation) in seen:
        return operation
    return evolve(operation, arguments=(*operation.arguments[:-1], alike))
