"""Failovers as figures: how long there was no write in each run, shown as a table.

What lives here: what was measured, and how it is shown.  What does not: measuring (failover.py), and the README that it
is shown in (failover_pages.py).
"""

from __future__ import annotations

import msgspec

from bench.machine import Machine
from bench.report import spread

TITLES = {"kill": "SIGKILL of the leader", "pause": "SIGSTOP of the leader"}


class FailoverResult(msgspec.Struct, frozen=True):
    """seconds: by "kill" or "pause", by the system's name, of each run in order."""

    began: str
    machine: Machine
    etcd: str
    seed: int
    seconds: dict[str, dict[str, list[float]]]

    @property
    def runs(self) -> int:
        """How often each leader went in each way."""
        return min(len(took_s) for systems in self.seconds.values() for took_s in systems.values())


def table(result: FailoverResult) -> str:
    """The result as Markdown."""
    systems = list(next(iter(result.seconds.values())))
    lines = [
        f"| seconds until the next acknowledged write | {' | '.join(systems)} |",
        "|---" * (len(systems) + 1) + "|",
    ]
    lines += [
        f"| {TITLES[way]} | {' | '.join(spread(took_s[system]) for system in systems)} |"
        for way, took_s in result.seconds.items()
    ]
    return "\n".join(lines)
