"""When and how a supervisor restarts its children: OTP's rules, without I/O.

What lives here: decisions.  A crash or a kill and the current time go in; which children to restart after which delay,
or that it is time to give up, comes out.  Not here: stopping and starting anything (supervisor.py).

Rules (Erlang/OTP, supervisor(3)):
1. `one_for_one` restarts the crashed child, `rest_for_one` also every child started after it.
2. More than `intensity` crashes of any children within `period_s` is an escalation: a fault that restarts do not cure.
3. A kill that an operator asked for restarts at once and never counts.
4. The delay before a restart grows with a child's crashes in a row and is back at its start after `calm_s` without one.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Protocol

from attrs import frozen
from msgspec import Struct
from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential

if TYPE_CHECKING:
    from collections.abc import Sequence


class Strategy(StrEnum):
    """Which children share the fate of a crashed one."""

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"


class Jitter(Protocol):
    """The part of `random.Random` that the back-off draws from."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between `a` and `b`."""


@frozen
class RestartLimits:
    """How much crashing a supervisor puts up with, and how long it waits in between."""

    intensity: int = 3
    period_s: float = 30.0
    first_delay_s: float = 0.04
    delay_growth: float = 4.0
    delay_max_s: float = 5.0
    calm_s: float = 60.0
    """Longer than `period_s`: a child that crashes just below the intensity must meet the longest delay."""


class Restart(Struct, frozen=True):
    """Stop `children` that run (last first), wait, and start them in order."""

    children: tuple[str, ...]
    delay_s: float
    crashes: int
    """Crashes counted within the period, this one included."""


class Escalate(Struct, frozen=True):
    """Give up; `reason` says why in one line."""

    reason: str


Decision = Restart | Escalate


class _WaitJittered(wait_base):
    """Half to all of another wait.  tenacity's own jitter draws from the process-wide generator, this from ours."""

    def __init__(self, wait: wait_base, rng: Jitter) -> None:
        self._wait = wait
        self._rng = rng

    def __call__(self, retry_state: RetryCallState) -> float:
        return self._wait(retry_state) * self._rng.uniform(0.5, 1.0)


class _History(Struct):
    in_a_row: int = 0
    last_crash: float = -inf


class RestartPolicy:
    """The decisions of one supervisor over `children`, named in the order they are started."""

    def __init__(self, strategy: Strategy, children: Sequence[str], limits: RestartLimits, rng: Jitter) -> None:
        self.strategy = strategy
        self.limits = limits
        self._children = tuple(children)
        self._crashes: deque[float] = deque()
        self._histories = {child: _History() for child in children}
        exponential = wait_exponential(
            multiplier=limits.first_delay_s, exp_base=limits.delay_growth, max=limits.delay_max_s
        )
        self._wait = _WaitJittered(exponential, rng)
        self._attempt = RetryCallState(Retrying(), None, (), {})

    def affected(self, child: str) -> tuple[str, ...]:
        """The children that go down with `child`, in the order they are started."""
        if self.strategy is Strategy.ONE_FOR_ONE:
            return (child,)
        return self._children[self._children.index(child) :]

    def crashed(self, child: str, now: float, error: str) -> Decision:
        """`child` failed by itself at `now` (seconds, monotonic)."""
        while self._crashes and now - self._crashes[0] > self.limits.period_s:
            self._crashes.popleft()
        self._crashes.append(now)
        if len(self._crashes) > self.limits.intensity:
            return Escalate(
                f"{len(self._crashes)} crashes within {self.limits.period_s:g} s, the last one of {child}: {error}"
            )
        return Restart(self.affected(child), self._delay_s(self._histories[child], now), len(self._crashes))

    def killed(self, child: str) -> Restart:
        """An operator asked for the end of this incarnation of `child`."""
        return Restart(self.affected(child), 0.0, len(self._crashes))

    def _delay_s(self, history: _History, now: float) -> float:
        if now - history.last_crash > self.limits.calm_s:
            history.in_a_row = 0
        history.in_a_row += 1
        history.last_crash = now
        self._attempt.attempt_number = history.in_a_row
        return self._wait(self._attempt)
