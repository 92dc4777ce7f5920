"""docs/gossip.md and its picture, from the figures of a measurement.

What lives here: words and plots. What does not: the figures (measure.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from tests.membership.measure import percentile

BEGIN: Final = "<!-- figures: made by python -m tests.membership -->"
END: Final = "<!-- end of the figures -->"
_BLUE, _ORANGE, _GREY = "#2a6fbb", "#e08e2b", "#9a9a9a"
# Measured by kinship's authors: 100 processes, 2 ± 1 ms, 1 % loss, kill -9, 30 runs, LAN settings.
MEMBERLIST_P50_S, MEMBERLIST_P99_S = 9.86, 11.98


def write(figures: dict[str, Any], page: Path) -> None:
    """Put the tables into the page, between its two marks, and draw the picture beside it."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    tables = "\n\n".join(make(figures[name]) for name, make in _TABLES.items() if name in figures)
    page.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}")
    draw(figures, page.with_suffix(".svg"))


def _detection(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| a silent host, known failed | runs | by the first: p50, p99 | by all: p50, p99 | false deaths |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        first, last = sorted(row["first_s"]), sorted(row["all_s"])
        lines.append(
            f"| {row['members']} members | {len(first)} | {percentile(first, 50):.2f} s, {percentile(first, 99):.2f} s "
            f"| {percentile(last, 50):.2f} s, {percentile(last, 99):.2f} s | {row['false_deaths']} |"
        )
    lines.append(f"| memberlist, 100 processes | 30 | {MEMBERLIST_P50_S} s, {MEMBERLIST_P99_S} s | 10.02 s, | 0 |")
    return "\n".join(lines)


def _starving(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| of 60 members 5 % are starved: each | runs | with Lifeguard: healthy, any | without: healthy, any |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['hunger']} | {row['runs']} | {row['on']['healthy']}, {row['on']['any']} "
        f"| {row['off']['healthy']}, {row['off']['any']} |"
        for row in rows
    ]
    runs = sum(row["runs"] for row in rows)
    on, off = (sum(row[arm]["healthy"] for row in rows) for arm in ("on", "off"))
    lines.append(f"| together: a healthy member is taken for dead | {runs} | **{on}** | **{off}** |")
    return "\n".join(lines)


def _spread(rows: list[dict[str, Any]]) -> str:
    lines = ["| a join is known | by half | by 99 % | by all |", "|---|---|---|---|"]
    for row in rows:
        times = row["times_s"]
        lines.append(f"| {row['members']:,} members | {_at(times, 0.5)} | {_at(times, 0.99)} | {_at(times, 1.0)} |")
    return "\n".join(lines)


def _load(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| one member sends in a second, at rest | messages | bytes | of push/pull: messages | bytes |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        (messages, synced), (size, synced_size) = _split(row["messages"]), _split(row["bytes"])
        lines.append(f"| {row['members']:,} members | {messages:.2f} | {size:.0f} | {synced:.3f} | {synced_size:.0f} |")
    return "\n".join(lines)


def _stories(rows: dict[str, Any]) -> str:
    leaves, restart, partition = rows["leaves"], rows["restart"], rows["partition"]
    known = max(0.1, leaves["known_s"])
    left = f"{leaves['failed']} shown failed by anybody; each known to all who stay within {known:.1f} s"
    back = (
        f"all see all alive {restart['whole_s']:.1f} s after the first start; {restart['backward']} incarnations went "
        f"back, {restart['failed_after']} failed afterwards, {restart['joins']:.0f} joins a member"
    )
    whole = (
        f"all dead on both sides after {partition['lost_s']:.1f} s; whole again {partition['whole_s']:.1f} s after the "
        "healing"
    )
    lines = [
        "| story | outcome |",
        "|---|---|",
        f"| 7 of 10 leave, one a second, {leaves['runs']} runs | {left} |",
        f"| {restart['members']} members lose power for {restart['off_s']:.0f} s and start within 2 s | {back} |",
        f"| {partition['members']} members fall in two halves for {partition['apart_s']:.0f} s | {whole} |",
    ]
    return "\n".join(lines)


def _huge(row: dict[str, Any]) -> str:
    (messages, synced), (size, synced_size) = _split(row["messages"]), _split(row["bytes"])
    return "\n".join(
        (
            "| 10,000 members | |",
            "|---|---|",
            f"| a join is known by 99 % | {row['known_99_s']:.2f} s |",
            f"| one member sends in a second, at rest | {messages:.2f} messages, {size:.0f} bytes |",
            f"| of push/pull | {synced:.3f} messages, {synced_size:.0f} bytes |",
        )
    )


_TABLES: Final[dict[str, Callable[[Any], str]]] = {
    "detection": _detection,
    "starving": _starving,
    "spread": _spread,
    "load": _load,
    "stories": _stories,
    "huge": _huge,
}


def _at(times: list[float], share: float) -> str:
    time = times[max(0, round(share * len(times)) - 1)]
    return f"{time:.2f} s" if time < 1e6 else "not in time"


def _split(kinds: dict[str, float]) -> tuple[float, float]:
    """What probes and news take, and what comparing and exchanging everything takes."""
    synced = sum(value for kind, value in kinds.items() if kind.endswith(("compare", "sync")))
    return sum(kinds.values()) - synced, synced


def draw(figures: dict[str, Any], path: Path) -> None:
    """Write the picture as SVG; the same figures give the same bytes."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "quorate", "font.size": 9})
    # After use(): pyplot would otherwise look for a screen.
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    _draw_detection(left, figures.get("detection", []))
    _draw_spread(middle, figures.get("spread", []))
    _draw_load(right, figures.get("load", []))
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _draw_detection(axes: Any, rows: list[dict[str, Any]]) -> None:
    for row, colour in zip(rows, (_BLUE, _ORANGE, _GREY), strict=False):
        times = sorted(row["all_s"])
        shares = [(number + 1) / len(times) for number in range(len(times))]
        axes.step(times, shares, where="post", color=colour, label=f"{row['members']} members")
    axes.axvline(MEMBERLIST_P50_S, color=_GREY, linestyle=":")
    axes.annotate("memberlist p50 ", (MEMBERLIST_P50_S, 0.04), ha="right")
    axes.set(xlabel="s after the death of a silent host", ylabel="share of runs in which all know", xlim=(0, None))
    if rows:
        axes.legend(frameon=False, loc="upper left")


def _draw_spread(axes: Any, rows: list[dict[str, Any]]) -> None:
    for row, colour in zip(rows, (_GREY, _ORANGE, _BLUE), strict=False):
        times = [time for time in row["times_s"] if time < 1e6]
        axes.plot(times, [(number + 1) / row["members"] for number in range(len(times))], color=colour)
        axes.annotate(f" {row['members']:,}", (times[len(times) // 2], 0.5), color=colour)
    axes.set(xlabel="s after a join", ylabel="share of members that know it", xlim=(0, None))


def _draw_load(axes: Any, rows: list[dict[str, Any]]) -> None:
    members = [row["members"] for row in rows]
    axes.plot(members, [_split(row["bytes"])[0] for row in rows], "o-", color=_BLUE, label="probes and gossip")
    axes.plot(members, [_split(row["bytes"])[1] for row in rows], "o-", color=_GREY, label="push/pull")
    axes.set(xscale="log", ylim=(0, None), xlabel="members", ylabel="bytes a second and member, at rest")
    axes.legend(frameon=False)
