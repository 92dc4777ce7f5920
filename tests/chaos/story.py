"""One chaos test as a story: a cluster under load and under watch, faults in rounds, and the verdict at the end."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from tests.chaos.nemesis import Nemesis
from tests.support.cluster import Cluster
from tests.support.load import Load
from tests.support.verdict import check
from tests.support.witness import Witness
from tests.support.writing import Writing

WRITES_BEFORE = (100, 400)
"""How many writes are acknowledged between two faults, so that each hits another moment."""

NEMESIS_S = 10.0
"""How long a round of everything at once lasts."""


@frozen
class Story:
    """What a test has in hand while the load runs. rng: every choice of the test comes from its seed."""

    cluster: Cluster
    load: Writing
    rng: random.Random

    def rounds(self) -> Iterator[int]:
        """The rounds, each after some more writes: QUORATE_CHAOS_ROUNDS of them, one if that is not set."""
        for number in range(rounds_wanted()):
            self.load.more(self.rng.randint(*WRITES_BEFORE))
            yield number

    def recovered(self, what: str) -> float:
        """Wait until a write begun from now on is acknowledged, and print how long that took, in seconds."""
        took_s = self.load.serves_again()
        print(f"{what}: writes again after {took_s:.2f} s")
        return took_s


def rounds_wanted() -> int:
    """QUORATE_CHAOS_ROUNDS, one if that is not set."""
    return int(os.environ.get("QUORATE_CHAOS_ROUNDS", "1"))


def everything_at_once(cluster: Cluster, seed: int) -> None:
    """Let a nemesis loose for as long as rounds are wanted, and wait until all is well again; prints what was done."""
    began = time.monotonic()
    nemesis = Nemesis(cluster, random.Random(seed), lambda: time.monotonic() - began)
    try:
        nemesis.run(NEMESIS_S * rounds_wanted())
        nemesis.end()
        cluster.agree()
    finally:
        print("\n".join(nemesis.story))
        print(", ".join(f"{count} {kind}" for kind, count in sorted(nemesis.strikes.items())))


@contextmanager
def chaos(cluster: Cluster, seed: int, *, servers: int = 3) -> Iterator[Story]:
    """A new cluster under load; when the story is told, every promise is checked."""
    cluster.form(servers)
    began = time.monotonic()
    with (
        Witness(cluster.servers) as witness,
        Load([server.address for server in cluster.servers], seed) as load,
    ):
        yield Story(cluster, load, random.Random(seed))
        check(cluster, load, witness)
    print(f"the story took {time.monotonic() - began:.1f} s")
