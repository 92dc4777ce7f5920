"""A client's times: how often it looks around, how long a call may take, how long it leaves the cluster alone."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_random_exponential

REFRESH_S: Final = 5.0
"""How often a client looks who is a member and who leads, if nothing happens."""

REFRESH_PAUSE_S: Final = 0.2
REFRESH_TIMEOUT_S: Final = 1.0
STALL_S: Final = 0.5
"""A server that owes an answer for so long may have lost its office, or have been stopped: the others are asked."""

RETRY_FIRST_S: Final = 0.02
RETRY_MAX_S: Final = 0.5
TIMEOUT_MAX_S: Final = 1e9
"""Some thirty years: a request has no room for the milliseconds of more."""

_back_off = wait_random_exponential(multiplier=RETRY_FIRST_S, max=RETRY_MAX_S)


def checked_s(timeout_s: float) -> float:
    """A timeout as it is.  Raises ValueError for what is none."""
    if not 0 < timeout_s <= TIMEOUT_MAX_S:
        raise ValueError(f"timeout_s is seconds, more than 0 and at most {TIMEOUT_MAX_S:.0e}, not {timeout_s!r}")
    return timeout_s


def pause_s(refusals: int) -> float:
    """How long to leave the cluster alone after refusals in a row."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = refusals
    return _back_off(state)
