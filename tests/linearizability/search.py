"""The search for an order: Wing and Gong's, with Lowe's memory of what was tried.

What lives here: the depth-first search for one key. What does not: what a history is cut into, and what follows from
the answer (checker.py).

A configuration is a set of operations already ordered, and the state they lead to. From it, any operation may come
next that was invoked before the first of the others returned (Wing and Gong 1993). Two orders of the same operations
that lead to the same state have the same future, so a configuration is entered once (Lowe 2017). To that, four cuts,
none of which loses an answer:

- An operation that fits and never changes anything is taken at once, with no other tried: wherever it would have stood
  later, nothing there misses it.
- Of operations that are alike only the one that returns first is tried: the others can stand wherever it would have.
- The state is not left while an operation still needs it for which nothing can make it again in time; and what the
  zones say comes first comes first (needs.py, zones.py).
- An operation of unknown outcome need not come at all. So a configuration that has spent more of them is no better
  than one that has spent fewer; and one that makes no difference to what comes right after it can be left out.

What is tried first decides how soon an order is found. A search that has lost its way mostly went wrong not long ago.
So after some steps it goes back a little, farther each time that does not help, and on from there by chance: which of
two rules of thumb ranks what may come next, and what comes first where neither cares. What leads nowhere stays known.

References: Wing, Gong: Testing and verifying concurrent objects, JPDC 17 (1993). Lowe: Testing for linearizability,
CCPE 29 (2017). Horn, Kroening: Faster linearizability checking via P-compositionality, FORTE 2015.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import count
from math import inf
from random import Random

from attrs import define, frozen

from tests.linearizability.models import ANY, NONE
from tests.linearizability.needs import Needs
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem
from tests.linearizability.zones import ImpossibleError, Zones

TURN_STEPS = 2_000
TURN_GROWTH = 1.4
RETREAT = 8
"""By how many choices a search goes back first; twice as many each time it has got no farther."""


class BudgetSpentError(Exception):
    """The search has taken as many steps as it may."""


@frozen
class _Origin:
    """The state before an operation of unknown outcome that is the last one ordered."""

    state: Hashable


@define(eq=False)
class _Node:
    """A configuration. done, used: the definite and the open operations ordered; added: those since the node before."""

    done: int
    used: int
    state: Hashable
    added: Sequence[Operation]
    origin: _Origin | None
    candidates: Sequence[int]
    """The definite operations that may come next, by return."""
    deadline_s: float
    """Of the candidates' returns, the first."""


class Search:
    """One search. steps: how many times an operation has been tried. Raises BudgetSpentError beyond budget_steps."""

    def __init__(self, problem: Problem, budget_steps: int) -> None:
        self.steps = 0
        self._budget_steps = budget_steps
        self._model = problem.model
        self._problem = problem
        self._definite = problem.definite
        self._open = problem.open
        self._invoked = [operation.invoked_s for operation in problem.definite]
        self._returns = [operation.closes_s for operation in problem.definite]
        self._kinds = [(operation.function, operation.arguments, operation.result) for operation in problem.definite]
        self._needs = Needs(problem)
        self._before: dict[int, int] = {}
        self._all = (1 << len(problem.definite)) - 1
        self._taste: Random | None = None
        """Chooses among what is as good; none at first: then the first to return."""
        self._known: dict[tuple[int, int, Hashable], list[int]] = {}

    def order(self) -> list[Operation] | None:
        """An order that explains every result, or None if there is none."""
        try:
            self._before = Zones(self._problem, self._needs).before()
        except ImpossibleError:
            return None
        path = [self._node(0, 0, self._problem.initial, (), None)]
        turn_steps, retreat, farthest = float(TURN_STEPS), RETREAT, 0
        for turn in count():
            self._taste = Random(turn) if turn else None
            path = self._descend(path, self.steps + int(turn_steps))
            if not path:
                return None
            if path[-1].done == self._all:
                return [operation for node in path for operation in node.added]
            ordered = path[-1].done.bit_count()
            retreat = RETREAT if ordered > farthest else 2 * retreat
            farthest = max(farthest, ordered)
            if retreat >= len(path):
                # Whatever leads nowhere was decided at the start.
                retreat, farthest, turn_steps = RETREAT, 0, turn_steps * TURN_GROWTH
                kept = 1
            else:
                kept = len(path) - retreat
            # What was left behind leads nowhere; what is given up here may yet lead somewhere.
            for node in path[kept:]:
                self._forget(node)
            del path[kept:]
        raise AssertionError("the turns do not end")

    def _descend(self, path: list[_Node], until_steps: int) -> list[_Node]:
        """Go on until everything is ordered or that many steps are taken: the path. [] if there is none."""
        ahead = [self._next(node) for node in path]
        while path and path[-1].done != self._all and self.steps < until_steps:
            node = next((node for node in ahead[-1] if self._is_new(node)), None)
            if node:
                path.append(node)
                ahead.append(self._next(node))
            else:
                path.pop()
                ahead.pop()
        return path

    # --- what may come next -----------------------------------------------------------------------------------------

    def _next(self, node: _Node) -> Iterator[_Node]:
        yield from self._next_rescue(node)
        yield from self._next_definite(node)
        yield from self._next_open(node)

    def _next_rescue(self, node: _Node) -> Iterator[_Node]:
        """What nobody knows to have been done, where the first to return needs it to have been."""
        if not node.candidates:
            return
        wanted = self._needs.needs[node.candidates[0]]
        if wanted is ANY or wanted == node.state or any(self._needs.makes[each] == wanted for each in node.candidates):
            return
        yield from (after for after in self._next_open(node) if after.state == wanted)

    def _next_definite(self, node: _Node) -> Iterator[_Node]:
        kinds = set()
        for number in self._ranked(node):
            operation, done = self._definite[number], node.done | 1 << number
            if self._kinds[number] in kinds or self._is_early(operation, node.done):
                continue
            kinds.add(self._kinds[number])
            fits, state = self._try(operation, node.state)
            if not fits or (state != node.state and self._needs.is_lost(node.state, done, node.used)):
                continue
            if node.origin and self._try(operation, node.origin.state) == (True, state):
                continue
            yield self._node(done, node.used, state, (operation,), None)

    def _next_open(self, node: _Node) -> Iterator[_Node]:
        kinds = set()
        for number, operation in enumerate(self._open):
            if operation.invoked_s > node.deadline_s:
                return
            kind = (operation.function, operation.arguments)
            if node.used >> number & 1 or kind in kinds or self._is_early(operation, node.done):
                continue
            kinds.add(kind)
            _, state = self._try(operation, node.state)
            used = node.used | 1 << number
            if state == node.state or self._needs.is_lost(node.state, node.done, used):
                continue
            if node.origin and self._try(operation, node.origin.state)[1] == state:
                continue
            yield self._node(node.done, used, state, (operation,), _Origin(node.state))

    def _ranked(self, node: _Node) -> Sequence[int]:
        """The candidates, the most promising first: what the first to return needs, and what leads on from here."""
        if not node.candidates:
            return ()
        urgent = node.candidates[0]
        needs, makes, wanted = self._needs.needs, self._needs.makes, self._needs.needs[urgent]

        links_first = self._taste is not None and self._taste.random() < 0.5

        def rank(number: int) -> tuple[bool, bool, float]:
            helps = links_first or number == urgent or (wanted is not ANY and makes[number] == wanted)
            return not helps, needs[number] is ANY, self._taste.random() if self._taste else 0.0

        return sorted(node.candidates, key=rank)

    def _node(self, done: int, used: int, state: Hashable, added: Sequence[Operation], origin: _Origin | None) -> _Node:
        """The configuration, with all that fits now and never changes anything."""
        taken = list(added)
        while True:
            candidates, deadline_s = self._candidates(done)
            quiet = [number for number in candidates if self._is_quiet(number, state)]
            if not quiet:
                break
            taken += [self._definite[number] for number in quiet]
            for number in quiet:
                done |= 1 << number
        if len(taken) > len(added):
            origin = None
        candidates.sort(key=self._returns.__getitem__)
        return _Node(done, used, state, taken, origin, candidates, deadline_s)

    def _candidates(self, done: int) -> tuple[list[int], float]:
        found: list[int] = []
        deadline_s = inf
        left = self._all & ~done
        while left:
            lowest = left & -left
            number = lowest.bit_length() - 1
            if self._invoked[number] > deadline_s:
                break
            found.append(number)
            deadline_s = min(deadline_s, self._returns[number])
            left ^= lowest
        return found, deadline_s

    def _is_early(self, operation: Operation, done: int) -> bool:
        """Whether something has to come before it that is not done."""
        return bool(self._before.get(operation.number, 0) & ~done)

    def _is_quiet(self, number: int, state: Hashable) -> bool:
        return self._needs.makes[number] is NONE and self._try(self._definite[number], state)[0]

    def _try(self, operation: Operation, state: Hashable) -> tuple[bool, Hashable]:
        """Whether the operation gives in this state what was recorded, and the state after it."""
        if self.steps >= self._budget_steps:
            raise BudgetSpentError
        self.steps += 1
        after, result = self._model.apply(state, operation)
        return result == operation.result, after

    # --- what was tried ---------------------------------------------------------------------------------------------

    def _is_new(self, node: _Node) -> bool:
        """Whether none that is no worse was entered before; notes the node if so."""
        known = self._known.setdefault(_name(node), [])
        if any(not used & ~node.used for used in known):
            return False
        known[:] = [used for used in known if node.used & ~used]
        known.append(node.used)
        return True

    def _forget(self, node: _Node) -> None:
        known = self._known[_name(node)]
        if node.used in known:
            known.remove(node.used)


def _name(node: _Node) -> tuple[int, int, Hashable]:
    # The operations done are mostly a beginning of them all and a few more.
    start = (~node.done & (node.done + 1)).bit_length() - 1
    return start, node.done >> start, node.state
