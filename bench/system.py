"""What a comparison asks of a system: three servers, and a load carried out by a client outside of them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from bench.loads import Load
from bench.sample import Measured, Sample
from bench.usage import ended_children_cpu_s, rss_mb, total_cpu_s


class Startable(Protocol):
    """Three servers on this machine."""

    def start(self) -> None:
        """Start the servers that do not run, and return when they have a leader."""

    def stop(self) -> None:
        """End the servers."""


class System(Startable, Protocol):
    """Three servers of one system."""

    @property
    def name(self) -> str:
        """As it is called in results."""

    @property
    def pids(self) -> list[int]:
        """The servers' processes, in order."""

    def run(self, load: Load, seconds: float) -> Sample:
        """Carry a load out.  Raises SampleError when the figures would mean nothing."""


def measure(system: System, load: Load, seconds: float) -> Measured:
    """Carry a load out, and see what it costs."""
    servers_before, client_before = total_cpu_s(system.pids), ended_children_cpu_s()
    sample = system.run(load, seconds)
    servers = total_cpu_s(system.pids) - servers_before
    client = ended_children_cpu_s() - client_before - sample.start_cpu_s
    return Measured(
        sample=sample,
        servers_cpu_s=servers / sample.done * 1000,
        client_cpu_s=client / sample.done * 1000,
        servers_rss_mb=[rss_mb(pid) for pid in system.pids],
    )


@contextmanager
def running(systems: Sequence[Startable]) -> Iterator[None]:
    """Systems that run, and are ended in any case but SIGKILL."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stops:
        for system in systems:
            stops.callback(system.stop)
            system.start()
        yield
