"""What the systems are asked to do: the loads of a comparison, and the key and value they are about.

What lives here: names of loads and what they mean.  What does not: who carries a load out (the *_client.py files and
etcd_load.py), and what came of it (sample.py).
"""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

KEY = "bench"
VALUE = b"x" * 256
WARM_UP_S = 0.3
"""Every load runs for so long before anything is counted: connections, the way to the leader, caches."""


class Kind(StrEnum):
    """What a load consists of.  A get is linearizable."""

    PUT = "put"
    GET = "get"


@frozen
class Load:
    """in_flight: puts or gets without an answer at any time.  batch: how many of them a caller hands over at once."""

    kind: Kind
    in_flight: int
    batch: int = 1

    @property
    def callers(self) -> int:
        """How many callers wait at any time, each for its batch."""
        return self.in_flight // self.batch

    @property
    def name(self) -> str:
        """As it is written on a command line: put-64, put-512x16, get-1."""
        return f"{self.kind}-{self.in_flight}" + (f"x{self.batch}" if self.batch > 1 else "")

    @property
    def label(self) -> str:
        """As it is written in a table."""
        return f"{self.kind}, {self.in_flight} in flight" + (f" in batches of {self.batch}" if self.batch > 1 else "")


LOADS = (
    Load(Kind.PUT, 1),
    Load(Kind.PUT, 64),
    Load(Kind.PUT, 512),
    Load(Kind.PUT, 512, batch=16),
    Load(Kind.GET, 1),
    Load(Kind.GET, 64),
    Load(Kind.GET, 512),
)


def parse_load(name: str) -> Load:
    """The load of a name.  Raises ValueError when there is none."""
    kind, _, size = name.partition("-")
    in_flight, _, batch = size.partition("x")
    load = Load(Kind(kind), int(in_flight), int(batch or 1))
    if load.batch < 1 or load.in_flight < 1 or load.in_flight % load.batch:
        raise ValueError(f"{name}: the number in flight has to be a multiple of the batch")
    if load.kind is Kind.GET and load.batch > 1:
        raise ValueError(f"{name}: gets go one by one")
    return load


def batch_keys(load: Load) -> list[str]:
    """The keys of one batch.  They differ: Quorate's put_many and etcd's Txn take a key once."""
    return [KEY] if load.batch == 1 else [f"{KEY}-{number}" for number in range(load.batch)]
