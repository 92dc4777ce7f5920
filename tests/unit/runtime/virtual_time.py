"""An event loop whose time only passes when nothing is left to do: stories with timers that take no time.

Sockets and threads work as ever; the loop merely never waits for a timer, it jumps to it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from selectors import SelectorKey

STORY_LIMIT_S = 100_000.0

P = ParamSpec("P")


class _JumpingSelector(selectors.DefaultSelector):
    """Tells how long it would have waited instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if timeout and not ready:
            self.waited_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time, which starts at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        now = self._jumping.waited_s
        assert now < STORY_LIMIT_S, "the story waits for something that never happens"
        return now

    def advance(self, seconds: float) -> None:
        """Let time pass while the loop is busy, as a slow handler does."""
        self._jumping.waited_s += seconds


def story(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test that is a coroutine on a loop in virtual time."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
