"""Deadlines by key: the same answers as looking at each of them."""

from __future__ import annotations

import random
from math import inf

from actors.gossip.deadlines import Deadlines


def test_the_earliest_is_what_a_search_through_all_finds(seed: int) -> None:
    """However often a time is replaced, dropped, or all of them are moved."""
    rng = random.Random(seed)
    deadlines, times = Deadlines(), dict[str, float]()
    for _ in range(2000):
        key = str(rng.randrange(20))
        match rng.randrange(8):
            case 0:
                deadlines.postpone(1.5)
                times = {key: time + 1.5 for key, time in times.items()}
            case 1 | 2:
                deadlines.drop(key)
                times.pop(key, None)
            case _:
                times[key] = rng.randrange(100)
                deadlines.set(key, times[key])
        now = rng.randrange(100)
        assert deadlines.earliest() == min(times.values(), default=inf)
        assert deadlines.due(now) == sorted((one for one in times if times[one] <= now), key=times.__getitem__)
