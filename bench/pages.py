"""What a result is shown in: docs/benchmarks.md, its picture, and the README's figures of it.

    python -m bench.pages [docs]

Everything is made from benchmarks.json alone, so it can be made again, and no figure is written by hand.  What lives
here: files, and the part of each that belongs to the figures, between two comments.  What does not: the tables
(report.py) and the drawing (plot.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.report import Result, summary, tables

RESULT = "benchmarks.json"
PAGE = "benchmarks.md"
_PICTURE = "benchmarks.svg"
BEGIN = "<!-- figures: made by python -m bench.pages -->"
END = "<!-- end of the figures -->"


def write(folder: Path) -> None:
    """Make the page and the picture from the result in a folder; a page that is not there is made of figures alone."""
    # Only who draws needs matplotlib.
    from bench.plot import draw

    result = msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)
    draw(result, folder / _PICTURE)
    page = folder / PAGE
    text = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
    page.write_text(with_figures(text, of_the_page(result)))
    readme = folder.parent / "README.md"
    if readme.exists() and BEGIN in readme.read_text():
        readme.write_text(with_figures(readme.read_text(), of_the_readme(result)))


def of_the_page(result: Result) -> str:
    """The figures of docs/benchmarks.md."""
    return "\n\n".join([conditions(result), f"![Throughput and latency under each load]({_PICTURE})", tables(result)])


def of_the_readme(result: Result) -> str:
    """The figures of the README."""
    return f"{conditions(result)}\n\n{summary(result)}"


def keep(result: msgspec.Struct, path: Path) -> None:
    """Write a result down, for people too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def with_figures(text: str, figures: str) -> str:
    """A page with other figures.  Raises ValueError when it has no place for them."""
    return between(BEGIN, END, text, figures)


def between(begin: str, end: str, text: str, figures: str) -> str:
    """A page with other figures between two comments.  Raises ValueError when it does not have both."""
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the page has no place for figures: {begin} and {end}")
    return f"{before}{begin}\n{figures}\n{end}{after}"


def conditions(result: Result) -> str:
    """What was measured when, on what, in words."""
    machine = result.machine
    again = f" Runs that failed and were made again: {'; '.join(result.run_again)}." if result.run_again else ""
    return (
        f"Quorate {machine.quorate} ({machine.commit}), etcd {result.etcd}, PySyncObj {machine.pysyncobj}, Python "
        f"{machine.python}; {result.began}. {machine}. Medians of {result.repeats} repeats of {result.seconds:g} s; "
        f"ratios are of one repeat each: median (least to most).{again}"
    )


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
