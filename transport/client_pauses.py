"""Times that a client's caller or its cluster sets: how long a call may take, how long to leave the cluster alone."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_random_exponential

RETRY_FIRST_S: Final = 0.02
RETRY_MAX_S: Final = 0.5

_back_off = wait_random_exponential(multiplier=RETRY_FIRST_S, max=RETRY_MAX_S)


def checked_s(timeout_s: float) -> float:
    """A timeout as it is.  Raises ValueError for what is none."""
    if not timeout_s > 0:
        raise ValueError(f"timeout_s is seconds, more than 0, not {timeout_s!r}")
    return timeout_s


def pause_s(refusals: int) -> float:
    """How long to leave the cluster alone after refusals in a row."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = refusals
    return _back_off(state)
