"""A comparison's result: what was measured, what follows from it, and how it is shown as tables.

What lives here: medians over the repeats and ratios within each repeat.  What does not: measuring (compare.py) and
drawing (plot.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bench.machine import Machine
from bench.sample import Idle, Measured

QUORATE = "Quorate"
ETCD = "etcd"
PYSYNCOBJ = "PySyncObj"
_ROUND = 10.0
"""Figures from here on are shown without a fraction."""


class LeftOut(msgspec.Struct, frozen=True):
    """A configuration of PySyncObj that could not be measured under a load.  error: of the last time it failed."""

    times: int
    error: str


class Result(msgspec.Struct, frozen=True):
    """runs, left_out: by the load's name, by the system's name.  A run for each repeat, in order."""

    began: str
    seconds: float
    repeats: int
    machine: Machine
    etcd: str
    idle_s: float
    idle: dict[str, Idle]
    labels: dict[str, str]
    runs: dict[str, dict[str, list[Measured]]]
    run_again: list[str] = []
    left_out: dict[str, dict[str, LeftOut]] = {}


class Row(msgspec.Struct, frozen=True):
    """The medians of one system under one load.  cpu_us, rss_mb: of each server, the leader's first."""

    system: str
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: list[float]
    client_cpu_us: float
    rss_mb: list[float]


class Ratio(msgspec.Struct, frozen=True):
    """Quorate's rate divided by another system's of the same repeat: median, least and most over the repeats."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"**{self.median:.2f}x** ({self.least:.2f} to {self.most:.2f})"


def median_row(system: str, measured: Sequence[Measured]) -> Row:
    """The medians of several runs."""
    return Row(
        system=system,
        rate=_median(each.sample.rate for each in measured),
        p50_ms=_median(each.sample.p50_ms for each in measured),
        p99_ms=_median(each.sample.p99_ms for each in measured),
        cpu_us=_medians([each.servers_cpu_us for each in measured]),
        client_cpu_us=_median(each.client_cpu_us for each in measured),
        rss_mb=_medians([each.servers_rss_mb for each in measured]),
    )


def rows_of(runs: dict[str, list[Measured]]) -> dict[str, Row]:
    """The median row of each system under one load; of several configurations of PySyncObj, the fastest."""
    rows: dict[str, Row] = {}
    for system, measured in runs.items():
        column = PYSYNCOBJ if system.startswith(PYSYNCOBJ) else system
        row = median_row(system, measured)
        if column not in rows or row.rate > rows[column].rate:
            rows[column] = row
    return rows


def ratio(ours: Sequence[Measured], theirs: Sequence[Measured]) -> Ratio:
    """Repeat by repeat, so that a slow moment of the machine is in both."""
    ratios = [mine.sample.rate / other.sample.rate for mine, other in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def ratios_of(runs: dict[str, list[Measured]]) -> dict[str, Ratio]:
    """Quorate against each other system under one load."""
    rows = rows_of(runs)
    if QUORATE not in runs:
        return {}
    return {column: ratio(runs[QUORATE], runs[row.system]) for column, row in rows.items() if column != QUORATE}


def tables(result: Result) -> str:
    """The result as Markdown."""
    return _paragraphs(*_rates(result), _cost_table(result), _idle_table(result.idle_s, result.idle))


def summary(result: Result) -> str:
    """What the README has of it."""
    idle = {system: result.idle[system] for system in (QUORATE, ETCD) if system in result.idle}
    return _paragraphs(*_rates(result), _idle_table(result.idle_s, idle))


def spread(values: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _rates(result: Result) -> list[str]:
    return [_speed_table(result), *_left_out(result), _batches_beside_single_puts(result)]


def _speed_table(result: Result) -> str:
    """Throughput, latency and ratios under each load."""
    lines = [
        "| load | Quorate: /s, p50, p99 in ms | etcd | ratio | raw PySyncObj, which syncs nothing | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for load, runs in result.runs.items():
        rows, ratios = rows_of(runs), ratios_of(runs)
        failed = "failed" if load in result.left_out else "-"
        cells = [_speed(rows.get(QUORATE))]
        for column, missing in ((ETCD, "-"), (PYSYNCOBJ, failed)):
            cells += [_speed(rows.get(column), missing), str(ratios.get(column, "-"))]
        lines.append(f"| {result.labels[load]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _speed(row: Row | None, missing: str = "-") -> str:
    if row is None:
        return missing
    configuration = row.system.removeprefix(PYSYNCOBJ).strip() if row.system.startswith(PYSYNCOBJ) else ""
    figures = f"{row.rate:,.0f}, {row.p50_ms:.2f}, {row.p99_ms:.2f}"
    return f"{figures} ({configuration})" if configuration else figures


def _left_out(result: Result) -> list[str]:
    return [
        f"{system} is left out of {result.labels[load]}: it failed {left_out.times} times, at last with "
        f"`{left_out.error}`."
        for load, systems in result.left_out.items()
        for system, left_out in systems.items()
    ]


def _batches_beside_single_puts(result: Result) -> str:
    """Quorate's batches beside etcd's single puts too: who has etcd today may not send transactions."""
    batched, single = result.runs.get("put-512x16", {}), result.runs.get("put-512", {})
    if QUORATE not in batched or ETCD not in single:
        return ""
    found = ratio(batched[QUORATE], single[ETCD])
    return f"Quorate's puts in batches of 16 against etcd's single puts, both with 512 in flight: {found}."


def _cost_table(result: Result) -> str:
    lines = [
        "| load | system | CPU, us a put or get: leader | followers | client | memory in MB: leader | followers |",
        "|---|---|---|---|---|---|---|",
    ]
    for load, runs in result.runs.items():
        for row in rows_of(runs).values():
            cells = [_listed(row.cpu_us[:1]), _listed(row.cpu_us[1:]), _listed([row.client_cpu_us])]
            cells += [_listed(row.rss_mb[:1]), _listed(row.rss_mb[1:])]
            lines.append(f"| {result.labels[load]} | {row.system} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _idle_table(idle_s: float, servers: Mapping[str, Idle]) -> str:
    if not servers:
        return ""
    lines = [f"| idle, over {idle_s:g} s | CPU of a core, each server | memory in MB |", "|---|---|---|"]
    for system, idle in servers.items():
        shares = ", ".join(f"{share:.2f} %" for share in idle.cpu_percent)
        lines.append(f"| {system} | {shares} | {_listed(idle.rss_mb)} |")
    return "\n".join(lines)


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:,.0f}" if value >= _ROUND else f"{value:.1f}" for value in values)


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _medians(rows: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]
