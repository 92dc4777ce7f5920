"""The picture of the comparison of membership: for each story and size, every repeat of both systems."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib as mpl

from bench.membership_stories import TITLES
from bench.serf_report import QUORATE, SERF, SerfResult

_COLOURS = {QUORATE: "#2a6fbb", SERF: "#e08e2b"}
_SHIFT = 0.14
_SIZE_INCHES = (10, 4.6)


def draw(result: SerfResult, path: Path) -> None:
    """Write the picture as SVG; the same result gives the same bytes."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "quorate", "font.size": 9})
    # After use(): pyplot would otherwise look for a screen.
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        1, len(result.times), figsize=_SIZE_INCHES, layout="constrained", sharey=True, squeeze=False
    )
    for axes, (size, times) in zip(panels[0], result.times.items(), strict=True):
        for sign, (system, colour) in zip((-1, 1), _COLOURS.items(), strict=True):
            for number, story in enumerate(TITLES):
                place, took_s = number + sign * _SHIFT, times[system][story]
                axes.plot([place] * len(took_s), took_s, ".", color=colour, alpha=0.5)
                axes.plot(place, statistics.median(took_s), "_", markersize=14, color=colour, label=system)
        axes.set(yscale="log", title=f"{size} servers")
        axes.set_xticks(range(len(TITLES)), list(TITLES), rotation=30)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    panels[0][0].set_ylabel("seconds until all know (log scale): each repeat, and the median")
    handles, labels = panels[0][0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    panels[0][0].legend(named.values(), named.keys(), frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
