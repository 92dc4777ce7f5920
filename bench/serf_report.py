"""The comparison of membership as figures: medians over the repeats, ratios within each, shown as tables.

What lives here: what was measured, and what follows from it.  What does not: measuring (serf.py), and the page and the
picture (serf_pages.py, serf_plot.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from bench.machine import Machine
from bench.membership_stories import TITLES
from bench.report import spread

QUORATE = "Quorate"
SERF = "Serf"
Times = dict[str, list[float]]
"""Seconds until all know, by story, one for each repeat in order."""


class MembersIdle(msgspec.Struct, frozen=True):
    """What each server uses while nothing happens.  sent: bytes a second of gossip frames, without what is below them:
    UDP, TCP, ZeroMQ, and the acknowledgements of the last two."""

    cpu_percent: list[float]
    rss_mb: list[float]
    sent: list[float]


class Idle(msgspec.Struct, frozen=True):
    """What idle servers cost, in a run that may be another one than the stories'.

    members: by the number of servers, by the system's name.
    """

    began: str
    commit: str
    load: float
    seconds: float
    members: dict[int, dict[str, MembersIdle]]


class SerfResult(msgspec.Struct, frozen=True):
    """times: by the number of servers, by the system's name."""

    began: str
    machine: Machine
    serf: str
    repeats: dict[int, int]
    times: dict[int, dict[str, Times]]
    idle: Idle
    told_again: list[str] = []


def ratios(result: SerfResult, size: int, story: str) -> list[float]:
    """Quorate's times as parts of Serf's, repeat by repeat, so that a slow moment of the machine is in both."""
    times = result.times[size]
    return [ours / theirs for ours, theirs in zip(times[QUORATE][story], times[SERF][story], strict=True)]


def times_table(result: SerfResult) -> str:
    """Seconds until all know, for each story and size."""
    sizes = list(result.times)
    heads = [f"{size} servers: Quorate | Serf | ratio" for size in sizes]
    lines = [f"| seconds until all know | {' | '.join(heads)} |", "|---" * (3 * len(sizes) + 1) + "|"]
    for story, title in TITLES.items():
        cells: list[str] = []
        for size in sizes:
            times = result.times[size]
            cells += [spread(times[QUORATE][story]), spread(times[SERF][story])]
            cells.append(f"**{statistics.median(ratios(result, size, story)):.2f}**")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def idle_table(idle: Idle) -> str:
    """What idle servers cost, on the average of the servers."""
    if not idle.members:
        return ""
    heads = ["CPU of a core, each server: Quorate", "Serf", "memory in MB: Quorate", "Serf"]
    heads += ["gossip sent in bytes a second: Quorate", "Serf", "ratio"]
    lines = [f"| idle, over {idle.seconds:g} s | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for size, systems in idle.members.items():
        ours, theirs = systems[QUORATE], systems[SERF]
        sent = statistics.mean(ours.sent), statistics.mean(theirs.sent)
        lines.append(
            f"| {size} servers | {_cpu(ours.cpu_percent)} | {_cpu(theirs.cpu_percent)} "
            f"| {statistics.mean(ours.rss_mb):.0f} | {statistics.mean(theirs.rss_mb):.0f} "
            f"| {sent[0]:.0f} | {sent[1]:.0f} | **{sent[0] / sent[1]:.2f}** |"
        )
    return "\n".join(lines)


def tables(result: SerfResult) -> str:
    """The result as Markdown."""
    return "\n\n".join(filter(None, [times_table(result), idle_table(result.idle)]))


def _cpu(percent: Sequence[float]) -> str:
    """The median, and the busiest one: Quorate's leader does more than the others."""
    return f"{statistics.median(percent):.2f} %, at most {max(percent):.2f} %"
