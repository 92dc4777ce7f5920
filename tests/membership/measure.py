"""The measurements behind docs/gossip.md: how often each experiment runs, and which goals its figures have to reach.

What lives here: sizes, seeds, goals. What does not: the stories (experiments.py) and the page (page.py).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from statistics import quantiles
from typing import Any, Final, TypeVar

import click

from tests.membership.experiments import detect, leaves, load, mass_restart, partition, spread, starved
from tests.membership.starving import Hunger

T = TypeVar("T")

DETECTION_RUNS: Final = 30
DETECTION_MEMBERS: Final = 100
DETECTION_P50_S, DETECTION_P99_S = 10.0, 12.5
STARVING_RUNS: Final = 10
STARVED_AMONG: Final = 60
HUNGERS: Final = (
    Hunger(stopped_s=4, running_s=0.5),
    Hunger(late_s=3),
    Hunger(late_s=6),
    Hunger(late_s=12),
)
FEWER_WITH_LIFEGUARD: Final = 20
SPREAD_MEMBERS: Final = (100, 1000, 3000)
SPREAD_99_S: Final = 5.0
LOAD_MEMBERS: Final = (100, 300, 1000, 3000)
LOAD_S: Final = 60.0
FLAT: Final = 1.2
"""How far the largest load may be above the smallest."""
LEAVE_RUNS: Final = 30
RESTARTED, RESTART_OFF_S = 200, 60.0
PARTED, APART_S = 60, 300.0
HUGE_MEMBERS: Final = 10_000
HUGE_S: Final = 20.0


def detection(jobs: int) -> list[dict[str, Any]]:
    """Silent hosts at 100 members."""
    size = DETECTION_MEMBERS
    found = list(_runs(partial(detect, size=size), range(DETECTION_RUNS), jobs))
    return [
        {
            "members": size,
            "first_s": [round(one.first_s, 3) for one in found],
            "all_s": [round(one.all_s, 3) for one in found],
            "false_deaths": sum(one.false_deaths for one in found),
        }
    ]


def starving(jobs: int) -> list[dict[str, Any]]:
    """5 % starved members, with Lifeguard and without."""
    rows = []
    for hunger in HUNGERS:
        row: dict[str, Any] = {"hunger": hunger.name, "runs": STARVING_RUNS}
        for arm in ("on", "off"):
            run = partial(starved, size=STARVED_AMONG, hunger=hunger, lifeguard=arm == "on")
            found = list(_runs(run, range(STARVING_RUNS), jobs))
            row[arm] = {
                "any": sum(one.false_deaths > 0 for one in found),
                "healthy": sum(one.healthy > 0 for one in found),
            }
        rows.append(row)
    return rows


def spreading(jobs: int) -> list[dict[str, Any]]:
    """A join among up to 3,000."""
    return [
        {"members": size, "times_s": [round(time, 4) for time in spread(1, size)]} for size in _shown(SPREAD_MEMBERS)
    ]


def loads(jobs: int) -> list[dict[str, Any]]:
    """What members send at rest."""
    rows = []
    for size in _shown(LOAD_MEMBERS):
        found = load(1, size, LOAD_S)
        rows.append({"members": size, "messages": found.messages, "bytes": found.bytes})
    return rows


def stories(jobs: int) -> dict[str, Any]:
    """Mass leaves, mass restarts, a partition."""
    left = list(_runs(leaves, range(LEAVE_RUNS), jobs))
    restarted = mass_restart(1, RESTARTED, RESTART_OFF_S)
    parted = partition(1, PARTED, APART_S)
    return {
        "leaves": {
            "runs": LEAVE_RUNS,
            "failed": sum(one.failed for one in left),
            "known_s": round(max(one.known_s for one in left), 3),
        },
        "restart": {
            "members": RESTARTED,
            "off_s": RESTART_OFF_S,
            "whole_s": round(restarted.whole_s, 3),
            "failed_after": restarted.failed_after,
            "backward": restarted.backward,
            "joins": round(restarted.joins, 1),
        },
        "partition": {
            "members": PARTED,
            "apart_s": APART_S,
            "lost_s": round(parted.lost_s, 3),
            "whole_s": round(parted.whole_s, 3),
        },
    }


def huge(jobs: int) -> dict[str, Any]:
    """10,000 members: a join, and a silent host."""
    times = spread(1, HUGE_MEMBERS)
    at_rest = load(1, HUGE_MEMBERS, HUGE_S)
    return {
        "members": HUGE_MEMBERS,
        "known_99_s": times[int(0.99 * len(times))],
        "messages": at_rest.messages,
        "bytes": at_rest.bytes,
    }


MEASUREMENTS: Final[dict[str, Callable[[int], Any]]] = {
    "detection": detection,
    "starving": starving,
    "spread": spreading,
    "load": loads,
    "stories": stories,
    "huge": huge,
}


def missed(figures: dict[str, Any]) -> list[str]:
    """The goals that are not reached, one line each."""
    return [line for name, check in _GOALS.items() if name in figures for line in check(figures[name])]


def _missed_detection(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        p50_s, p99_s = percentile(row["all_s"], 50), percentile(row["all_s"], 99)
        if p50_s > DETECTION_P50_S or p99_s > DETECTION_P99_S:
            yield f"detection: p50 {p50_s:.2f} s, p99 {p99_s:.2f} s at {row['members']} members"
        if row["false_deaths"]:
            yield f"detection: {row['false_deaths']} false deaths at {row['members']} members"


def _missed_starving(rows: list[dict[str, Any]]) -> Iterator[str]:
    on, off = (sum(row[arm]["healthy"] for row in rows) for arm in ("on", "off"))
    if on * FEWER_WITH_LIFEGUARD > off:
        yield f"starving: {on} runs with a false death with Lifeguard, {off} without"


def _missed_spread(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        time = row["times_s"][int(0.99 * row["members"])]
        if time > SPREAD_99_S:
            yield f"spread: 99 % of {row['members']} know after {time} s"


def _missed_load(rows: list[dict[str, Any]]) -> Iterator[str]:
    for measure in ("messages", "bytes"):
        flat = [sum(row[measure].values()) for row in rows]
        if max(flat) > FLAT * min(flat):
            yield f"load: {min(flat):.2f} to {max(flat):.2f} {measure} a second"


def _missed_stories(rows: dict[str, Any]) -> Iterator[str]:
    if rows["leaves"]["failed"]:
        yield f"leaves: {rows['leaves']['failed']} leavers were shown failed"
    if rows["restart"]["backward"] or rows["restart"]["failed_after"]:
        yield f"mass restart: {rows['restart']}"


_GOALS: Final[dict[str, Callable[[Any], Iterable[str]]]] = {
    "detection": _missed_detection,
    "starving": _missed_starving,
    "spread": _missed_spread,
    "load": _missed_load,
    "stories": _missed_stories,
}


def percentile(values: list[float], share: int) -> float:
    """The value that so many hundredths of all do not exceed, between neighbours in proportion."""
    return quantiles(values, n=100, method="inclusive")[share - 1] if len(values) > 1 else values[0]


def _runs(run: Callable[[int], T], seeds: range, jobs: int) -> Iterator[T]:
    """One run a seed, in their order, with a count of them."""
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for number, found in enumerate(pool.imap(run, seeds), start=1):
            click.echo(f"\r  {number} of {len(seeds)} runs", nl=number == len(seeds), err=True)
            yield found


def _shown(sizes: Iterable[int]) -> Iterator[int]:
    for size in sizes:
        click.echo(f"  {size} members", err=True)
        yield size
