"""One run of one load on one system, in figures.

What lives here: the figures and how latencies become them.  What does not: the medians over several runs (report.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """rate: puts or gets a second.  p50_ms, p99_ms: of what one caller waits for, its whole batch.

    done: all that was done, the warm-up included, which is what the processor time belongs to.  start_cpu_s: what the
    client had used before that, which is the start of a Python program.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    done: int
    start_cpu_s: float = 0.0


class Measured(msgspec.Struct, frozen=True):
    """A sample with what it cost.

    servers_cpu_s: processor time of the three servers together per 1,000 puts or gets.  client_cpu_s: the same of the
    client.  servers_rss_mb: each server's memory at the end.
    """

    sample: Sample
    servers_cpu_s: float
    client_cpu_s: float
    servers_rss_mb: list[float]


class SampleError(Exception):
    """A run whose figures would mean nothing.  The message says why."""


def summarise(
    latencies_s: Sequence[float], elapsed_s: float, *, batch: int, warm_up_calls: int, start_cpu_s: float = 0.0
) -> Sample:
    """The figures of calls that took so long each, made within a time.  Raises SampleError when there are none."""
    if not latencies_s:
        raise SampleError("not one call ended in time")
    ordered = sorted(latencies_s)
    return Sample(
        rate=len(ordered) * batch / elapsed_s,
        p50_ms=quantile(ordered, 0.5) * 1000,
        p99_ms=quantile(ordered, 0.99) * 1000,
        done=(len(ordered) + warm_up_calls) * batch,
        start_cpu_s=start_cpu_s,
    )


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """The value that such a fraction of the ordered values lies below."""
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]
