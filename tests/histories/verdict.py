"""A verdict on a history: each checker whose operations it has, a line on what was held, and what did not hold.

What lives here: which checkers there are. What does not: what they check, and how the history came about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import frozen

from tests.histories.lock_checker import check_locks
from tests.histories.lock_history import LOCK_FUNCTIONS
from tests.histories.violation import Violation, listed
from tests.histories.watch_checker import check_watches
from tests.histories.watch_history import WATCH_FUNCTIONS
from tests.linearizability.history import History, HistoryError
from tests.linearizability.operation import Outcome
from transport.text import counted

LISTED_MAX = 5
"""Of each promise."""

CHECKERS: dict[str, tuple[frozenset[str], Callable[[History], list[Violation]]]] = {
    "watches": (WATCH_FUNCTIONS, check_watches),
    "locks": (LOCK_FUNCTIONS, check_locks),
}


@frozen
class Verdict:
    """What was held against which promises, and what broke them."""

    held: str
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        """One line if all is well, and the violations."""
        count = len(self.violations)
        head = f"{self.held}: {counted(count, 'violation') if count else 'all promises held'}"
        return "\n".join([head, *listed(self.violations, LISTED_MAX)])


def judge(history: History) -> Verdict:
    """Hold a history against every promise. Raises HistoryError for one that is malformed, or about nothing."""
    functions = Counter(operation.function for operation in history)
    known = frozenset().union(*(names for names, _ in CHECKERS.values()))
    if foreign := functions.keys() - known:
        raise HistoryError(f"no checker knows the function {min(foreign)!r}")
    checkers = {name: check for name, (names, check) in CHECKERS.items() if names & functions.keys()}
    if not checkers:
        raise HistoryError("there is nothing in it")
    violations = [violation for check in checkers.values() for violation in check(history)]
    counts = ", ".join(f"{count} {function}" for function, count in sorted(functions.items()))
    unknown = sum(operation.outcome is Outcome.UNKNOWN for operation in history)
    return Verdict(f"{' and '.join(checkers)}: {counts} ({unknown} open or unknown)", tuple(violations))
