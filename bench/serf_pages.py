"""What the comparison of membership is shown in: docs/membership.md, its picture, and a table of the README.

    python -m bench.serf_pages [docs]

Everything is made from membership.json alone, so it can be made again, and no figure is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.pages import between, keep
from bench.serf_report import SerfResult, tables, times_table

RESULT = "membership.json"
PAGE = "membership.md"
_PICTURE = "membership.svg"
BEGIN = "<!-- figures of membership: made by python -m bench.serf_pages -->"
END = "<!-- end of the figures of membership -->"


def read(folder: Path) -> SerfResult:
    """The result in a folder."""
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=SerfResult)


def write(result: SerfResult, folder: Path) -> None:
    """Keep a result, and make page and picture of it, and the README's table beside the folder."""
    # Only who draws needs matplotlib.
    from bench.serf_plot import draw

    keep(result, folder / RESULT)
    draw(result, folder / _PICTURE)
    for page, figures in (
        (folder / PAGE, of_the_page(result)),
        (folder.parent / "README.md", of_the_readme(result)),
    ):
        page.write_text(between(BEGIN, END, page.read_text(), figures))


def of_the_page(result: SerfResult) -> str:
    """The figures of docs/membership.md."""
    picture = f"![Seconds until all know, Quorate and Serf]({_PICTURE})"
    return "\n\n".join([conditions(result), picture, tables(result)])


def of_the_readme(result: SerfResult) -> str:
    """The figures of the README."""
    return f"{conditions(result)}\n\n{times_table(result)}"


def conditions(result: SerfResult) -> str:
    """What was measured when, on what, in words."""
    machine = result.machine
    repeats = ", ".join(f"{count} with {size} servers" for size, count in result.repeats.items())
    idle = result.idle
    idle_run = f" Idle servers were watched in another run: {idle.commit}, {idle.began}, load average {idle.load}."
    if idle.began == result.began:
        idle_run = ""
    again = f" Repeats that were made again: {'; '.join(result.told_again)}." if result.told_again else ""
    return (
        f"Quorate {machine.quorate} ({machine.commit}), Serf {result.serf}, Python {machine.python}; {result.began}. "
        f"{machine}. Medians of the repeats ({repeats}), the least and the most; a ratio below 1 is in Quorate's "
        f"favour, and is the median of the ratios of each repeat.{idle_run}{again}"
    )


if __name__ == "__main__":
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    write(read(docs), docs)
