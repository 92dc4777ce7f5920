"""The promises that histories are held against, in the words in which a violation names them."""

from __future__ import annotations

from enum import Enum


class WatchPromise(Enum):
    """What is promised of a watch. The first six are etcd's API guarantees."""

    ORDERED = "ordered"
    """Revisions rise."""
    UNIQUE = "unique"
    """No change is told twice."""
    RELIABLE = "reliable"
    """Between two changes that are told none is left out, nor between the last one and what is read."""
    ATOMIC = "atomic"
    """What one command changed is told at once, all of it."""
    RESUMABLE = "resumable"
    """A watch that begins after a revision tells exactly what came after it."""
    BOOKMARKABLE = "bookmarkable"
    """A bookmark comes after everything up to its revision."""
    FILTERED = "filtered"
    """Nothing is told of what is not watched."""
    AUTHENTIC = "authentic"
    """What is told was written, and each write is one change, at the revision that its writer was told."""
    REVISIONS = "revisions"
    """Revisions agree with real time."""


class LockPromise(Enum):
    """What is promised of a lock with fencing tokens, and of a resource that checks them."""

    EXCLUSIVE = "exclusive"
    """One holder at a time: nobody has a lock again that somebody else has had since."""
    RISING = "rising"
    """Each holder has a token of its own, higher than those before."""
    FENCED = "fenced"
    """No write has an effect whose token is lower than one that was the present one before."""
    OVER = "over"
    """Who released a lock, or was told that it is lost, has no effect any more."""
    EFFECTIVE = "effective"
    """What was acknowledged is there once, what was refused is not, and nothing that nobody wrote."""
    UNBROKEN = "unbroken"
    """Each write was made from the value that was there before it."""
    REAL_TIME = "real time"
    """The resource's order agrees with real time."""


class LeasePromise(Enum):
    """What is promised of a lease."""

    KEPT = "kept"
    """It lasts for its time from each renewal on, unless somebody revokes it; what hangs on it does, too."""
    FINAL = "final"
    """Once it has ended it is not renewed again."""
    DISTINCT = "distinct"
    """No two leases have one id."""
