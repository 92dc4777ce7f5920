"""An answer from one server's own copy, with its age.  Nothing else lives here."""

from typing import Final, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

AGE_UNKNOWN_MS: Final = -1


class Stale(Struct, Generic[T], frozen=True):
    """What one server had.

    age_s: how many seconds ago that was all there was, as far as the server knew.  It knows by hearing from the leader,
    or as leader from a majority, so that it can be off by an election timeout.  None: it has heard nobody since it was
    started.
    """

    answer: T
    age_s: float | None


def age_s(age_ms: int) -> float | None:
    """An age as it travels, for people."""
    return None if age_ms == AGE_UNKNOWN_MS else age_ms / 1000
