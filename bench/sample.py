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

    servers_cpu_us: processor time, in user and kernel mode, of each server for one put or get, the leader's first.
    client_cpu_us: the same of the client.  servers_rss_mb: each server's memory at the end, the leader's first.
    """

    sample: Sample
    servers_cpu_us: list[float]
    client_cpu_us: float
    servers_rss_mb: list[float]

    def __str__(self) -> str:
        sample = self.sample
        servers = " + ".join(f"{each:.1f}" for each in self.servers_cpu_us)
        return (
            f"{sample.rate:>9,.0f}/s, p50 {sample.p50_ms:.2f} ms, p99 {sample.p99_ms:.2f} ms; "
            f"CPU us each: servers {servers}, client {self.client_cpu_us:.1f}"
        )


class Idle(msgspec.Struct, frozen=True):
    """Servers that have just been started and have nothing to do.  cpu_percent: of one core, of each server."""

    cpu_percent: list[float]
    rss_mb: list[float]


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
