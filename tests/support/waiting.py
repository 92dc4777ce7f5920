"""Waiting for a condition: the one way tests of real processes wait for anything.

A test never sleeps and hopes. It says what it waits for, and when that does not come it fails with those words and with
what was seen last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from transport.errors import QuorateError

T = TypeVar("T")

DEADLINE_S = 30.0
"""Long: a busy machine is no failure. A condition that holds is seen within a period."""

PERIOD_S = 0.02

LOOK_MAX_S = 2.0
"""A look counts for no more: a machine that stands still for a while, and the servers with it, is no failure either."""


def wait_until(what: str, look: Callable[[], T | None], timeout_s: float = DEADLINE_S) -> T:
    """Look again and again until what is seen is true, and return it.

    A server that does not answer or a file that is not there yet is not yet, no failure. Raises AssertionError after
    `timeout_s`, with what was seen last.
    """
    left_s = timeout_s
    while True:
        began = time.monotonic()
        try:
            found = look()
            if found:
                return found
            seen: object = found
        except (QuorateError, OSError) as error:
            seen = error
        if left_s < 0:
            raise AssertionError(f"waited {timeout_s:g} s for this: {what}; seen last: {seen!r}")
        time.sleep(PERIOD_S)
        left_s -= min(time.monotonic() - began, LOOK_MAX_S)


def pass_time(seconds: float) -> None:
    """Let time pass, where it is time itself that a claim is about: how long something may stand still."""
    time.sleep(seconds)
