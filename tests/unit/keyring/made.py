"""Cluster keys for the stories, made once."""

from __future__ import annotations

from functools import cache

from transport.keys import ClusterKey, generate, parse
from transport.ring import Ring, Stage


@cache
def made(name: str) -> ClusterKey:
    """The key of that name."""
    return parse(generate().encode(), name)


OLD, NEW, OTHER = (made(name) for name in ("old", "new", "other"))
SETTLED_OLD = Ring(OLD)
INSTALLED, USING, SETTLED_NEW = (SETTLED_OLD.at(NEW, stage) for stage in (Stage.INSTALLED, Stage.USING, Stage.SETTLED))
CAME_WITH_NEW = Ring(NEW)
"""A server that was off all the time and is started with the new file."""
