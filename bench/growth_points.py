"""What is known of a cluster at some point of a long way of puts, and its file: a line a point."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Point(msgspec.Struct, frozen=True):
    """How it stood after so many puts; the worst of all servers and of the time since the point before."""

    puts: int
    puts_per_s: float
    p50_ms: float
    p99_ms: float
    memory_mb: float
    raft_db_mb: float
    wal_mb: float
    """Of the file raft.db-wal."""
    log_entries: int
    """In memory and in raft.db."""
    loop_lag_ms: float


def save(points: Sequence[Point], file: Path) -> None:
    """Write the points as CSV."""
    with file.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(Point.__struct_fields__)
        writer.writerows([round(value, 1) for value in msgspec.structs.astuple(point)] for point in points)


def load(file: Path) -> list[Point]:
    """Read them again."""
    with file.open(newline="") as lines:
        return msgspec.convert(list(csv.DictReader(lines)), list[Point], strict=False)
