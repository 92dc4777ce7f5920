"""What a comparison asks of a system: three servers, and a load carried out by a client outside of them."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from bench.loads import Load
from bench.sample import Idle, Measured, Sample, SampleError
from bench.usage import cpu_s, ended_children_cpu_s, rss_mb

SETTLE_S = 3.0
"""How long servers are left alone before they count as idle."""


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

    def leader(self) -> int:
        """The number of the server that leads, which the client talks to."""

    def suits(self, load: Load) -> bool:
        """Whether it takes part in a load; another configuration of the same system may be better at it."""

    def run(self, load: Load, seconds: float) -> Sample:
        """Carry a load out.  Raises SampleError when the figures would mean nothing."""


def measure(system: System, load: Load, seconds: float) -> Measured:
    """Carry a load out on the leader, and see what it costs.  Raises SampleError when another one leads in the end."""
    leader = system.leader()
    servers_before, client_before = _servers_cpu_s(system), ended_children_cpu_s()
    sample = system.run(load, seconds)
    used = [now - then for now, then in zip(_servers_cpu_s(system), servers_before, strict=True)]
    client = ended_children_cpu_s() - client_before - sample.start_cpu_s
    if system.leader() != leader:
        raise SampleError("another server leads now than before")
    order = [leader, *(index for index in range(len(used)) if index != leader)]
    return Measured(
        sample=sample,
        servers_cpu_us=[used[index] / sample.done * 1e6 for index in order],
        client_cpu_us=client / sample.done * 1e6,
        servers_rss_mb=[rss_mb(system.pids[index]) for index in order],
    )


def watch_idle(system: System, seconds: float) -> Idle:
    """What servers that have just been started use while nobody asks them for anything."""
    time.sleep(SETTLE_S)
    before = _servers_cpu_s(system)
    time.sleep(seconds)
    used = [now - then for now, then in zip(_servers_cpu_s(system), before, strict=True)]
    return Idle([each / seconds * 100 for each in used], [rss_mb(pid) for pid in system.pids])


def _servers_cpu_s(system: System) -> list[float]:
    return [cpu_s(pid) for pid in system.pids]


@contextmanager
def running(systems: Sequence[Startable]) -> Iterator[None]:
    """Systems that run, and are ended in any case but SIGKILL."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stops:
        for system in systems:
            stops.callback(system.stop)
            system.start()
        yield
