"""The picture of a long way of puts: what is stored grows with the keys, and nothing after that.

Can be drawn again from a result: `python -m bench.growth_plot docs/growth.csv docs/growth.svg`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from bench.growth_points import Point, load

_SIZE_INCHES = (10, 7)
_BLUE, _ORANGE, _GREY = "#2a6fbb", "#e08e2b", "#9a9a9a"


def draw(points: Sequence[Point], path: Path) -> None:
    """Write the picture as SVG; the same points give the same bytes."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "quorate", "font.size": 9})
    # After use(): pyplot would otherwise look for a screen.
    from matplotlib import pyplot as plt

    figure, (stored, log, latency) = plt.subplots(3, 1, figsize=_SIZE_INCHES, layout="constrained", sharex=True)
    puts = [point.puts / 1e6 for point in points]
    stored.plot(puts, [point.memory_mb for point in points], color=_BLUE, label="memory of a server")
    stored.plot(puts, [point.raft_db_mb for point in points], color=_ORANGE, label="raft.db")
    stored.plot(puts, [point.wal_mb for point in points], color=_GREY, label="its write-ahead log")
    stored.set(ylabel="MiB", title="256-byte values, three servers and a client on one machine; the largest server")
    log.plot(puts, [point.log_entries for point in points], color=_BLUE, label="entries in the log")
    log.set(ylabel="entries")
    latency.plot(puts, [point.p99_ms for point in points], color=_ORANGE, label="put, p99")
    latency.plot(puts, [point.p50_ms for point in points], color=_BLUE, label="put, p50")
    latency.set(ylabel="ms (log scale)", xlabel="million puts", yscale="log")
    for axes in (stored, log):
        axes.set_ylim(bottom=0)
    for axes in (stored, log, latency):
        axes.set_xlim(left=0)
        axes.legend(loc="upper left" if axes is latency else "lower right", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    draw(load(Path(sys.argv[1])), Path(sys.argv[2]))
