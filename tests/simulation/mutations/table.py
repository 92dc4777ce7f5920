"""What a mutation is: one guard that is switched off, and where that is seen.

What lives here: the table's rows and how one is made.  What does not: the guards (the modules beside this one).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from attrs import frozen

Patch = AbstractContextManager[Any]
"""Switches a guard off for as long as it is entered."""


@frozen
class Mutation:
    """row: of the table in docs/design.md.  name, what: for people.  apply(): the product without this guard.

    seed: the simulated run that is tried first, since it showed it once; any other that does is as good.  story: where
    its harm does not show in simulated runs, or once in thousands, the test below tests/unit that must fail; else "".
    ``what`` says then, in brackets, why.
    """

    row: int
    name: str
    what: str
    apply: Callable[[], Patch]
    seed: int = 0
    story: str = ""


class Table(list[Mutation]):
    """The mutations of one module."""

    def row(
        self, number: int, *, seed: int = 0, story: str = ""
    ) -> Callable[[Callable[[], Patch]], Callable[[], Patch]]:
        """Add a mutation: a function that makes the patch, with what it switches off as its docstring."""

        def add(apply: Callable[[], Patch]) -> Callable[[], Patch]:
            self.append(Mutation(number, apply.__name__, (apply.__doc__ or "").strip(), apply, seed, story))
            return apply

        return add
