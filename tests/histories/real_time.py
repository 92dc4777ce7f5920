"""Real time: what was over before something else began has to come before it in every order that is told.

Here: finding a pair that does not. Not here: what the order is (watch_checker.py, lock_checker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.linearizability.operation import Operation

Placed = tuple[Operation, int]
"""An operation that was carried out, with its place in some order."""


def disorder(
    earlier: Iterable[Placed], later: Iterable[Placed], *, may_be_equal: bool = False
) -> Iterator[tuple[Operation, Operation]]:
    """For each of `later` that some of `earlier` was over before and yet is placed behind: the two.

    may_be_equal: whether two operations may have one place.
    """
    ended = sorted(earlier, key=lambda placed: placed[0].returned_s)
    highest: Placed | None = None
    count = 0
    for operation, place in sorted(later, key=lambda placed: placed[0].invoked_s):
        while count < len(ended) and ended[count][0].returned_s < operation.invoked_s:
            highest = ended[count] if highest is None else max(highest, ended[count], key=lambda placed: placed[1])
            count += 1
        if highest is not None and place + may_be_equal <= highest[1]:
            yield highest[0], operation
