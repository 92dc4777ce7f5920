"""What the comparison of membership is shown in: docs/membership.md, its picture, and a table of the README.

    python -m bench.serf_pages [docs]

Everything is made from membership.json alone, so it can be made again, and no figure is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.pages import between
from bench.serf_report import SerfResult, tables, times_table

RESULT = "membership.json"
PAGE = "membership.md"
_PICTURE = "membership.svg"
BEGIN = "<!-- figures of membership: made by python -m bench.serf_pages -->"
END = "<!-- end of the figures of membership -->"


def write(folder: Path) -> None:
    """Make page and picture from the result in a folder, and the README's table beside it."""
    # Only who draws needs matplotlib.
    from bench.serf_plot import draw

    result = msgspec.json.decode((folder / RESULT).read_bytes(), type=SerfResult)
    draw(result, folder / _PICTURE)
    picture = f"![Seconds until all know, Quorate and Serf]({_PICTURE})"
    for page, figures in (
        (folder / PAGE, "\n\n".join([conditions(result), picture, tables(result)])),
        (folder.parent / "README.md", times_table(result)),
    ):
        page.write_text(between(BEGIN, END, page.read_text(), figures))


def conditions(result: SerfResult) -> str:
    """What was measured when, on what, in words."""
    machine = result.machine
    repeats = ", ".join(f"{count} with {size} servers" for size, count in result.repeats.items())
    again = f" Repeats that were made again: {'; '.join(result.told_again)}." if result.told_again else ""
    return (
        f"Quorate {machine.quorate} ({machine.commit}), Serf {result.serf}, Python {machine.python}; {result.began}. "
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, Linux {machine.kernel}; load average "
        f"before the run: {machine.load}. Medians of the repeats ({repeats}), the least and the most; a ratio below 1 "
        f"is in Quorate's favour, and is the median of the ratios of each repeat.{again}"
    )


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
