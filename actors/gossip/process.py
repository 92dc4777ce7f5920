"""What gossip is given of the process it runs in, and what it may do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from transport.errors import QuorateError

if TYPE_CHECKING:
    from collections.abc import Callable


class IdentityTakenError(QuorateError):
    """Another live server has this one's name or id: it was not let in, or it yields."""


class Process(Struct, frozen=True):
    """loop_lag_s: how late the event loop runs. end: end the process, because of this."""

    loop_lag_s: Callable[[], float]
    end: Callable[[QuorateError], None]
