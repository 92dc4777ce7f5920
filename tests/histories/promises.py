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
