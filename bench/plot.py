"""The picture of a comparison: throughput and latency of each system under each load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.report import ETCD, PYSYNCOBJ, QUORATE, Result, Row, ratios_of, rows_of

_COLOURS = {QUORATE: "#2a6fbb", ETCD: "#e08e2b", PYSYNCOBJ: "#9a9a9a"}
_NAMES = {QUORATE: "Quorate", ETCD: "etcd", PYSYNCOBJ: "raw PySyncObj (syncs nothing)"}
_BAR_WIDTH = 0.27
_SIZE_INCHES = (10, 6.4)


def draw(result: Result, path: Path) -> None:
    """Write the picture as SVG; the same result gives the same bytes."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "quorate", "font.size": 9})
    # After use(): pyplot would otherwise look for a screen.
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    figure, (above, below) = plt.subplots(2, 1, figsize=_SIZE_INCHES, layout="constrained", sharex=True)
    rows = [rows_of(runs) for runs in result.runs.values()]
    for place, column in enumerate(_COLOURS):
        shift = (place - 1) * _BAR_WIDTH
        for number, row in enumerate(each.get(column) for each in rows):
            if row is not None:
                _bars(above, below, number + shift, row, column)
    _annotate(above, result, rows)
    above.set(yscale="log", ylabel="a second (log scale)", title=_title(result))
    above.title.set_fontsize(9)
    below.set(yscale="log", ylabel="ms: bar p50, mark p99 (log scale)")
    below.set_xticks(
        range(len(rows)), [label.replace(" in batches", "\nin batches") for label in result.labels.values()]
    )
    handles = [Patch(color=colour) for colour in _COLOURS.values()]
    above.legend(handles, list(_NAMES.values()), loc="upper left", frameon=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
        axes.set_axisbelow(True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _bars(above: Any, below: Any, x: float, row: Row, column: str) -> None:
    above.bar(x, row.rate, _BAR_WIDTH, color=_COLOURS[column])
    below.bar(x, row.p50_ms, _BAR_WIDTH, color=_COLOURS[column])
    below.plot(x, row.p99_ms, marker="_", markersize=11, color=_COLOURS[column])


def _annotate(axes: Any, result: Result, rows: list[dict[str, Row]]) -> None:
    """Over each load: Quorate's rate as a multiple of etcd's."""
    for number, (runs, found) in enumerate(zip(result.runs.values(), rows, strict=True)):
        ratio = ratios_of(runs).get(ETCD)
        if ratio is not None:
            top = max(row.rate for row in found.values())
            axes.annotate(f"{ratio.median:.2f}x etcd", (number, top), ha="center", va="bottom")
    axes.margins(y=0.25)


def _title(result: Result) -> str:
    machine = result.machine
    return (
        f"256-byte values, three servers and a client as processes of one machine with {machine.cores} cores\n"
        f"Quorate and etcd {result.etcd} sync every write to disk; gets are linearizable"
    )
