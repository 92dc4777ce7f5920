"""What failovers are shown in: a table of the README.

    python -m bench.failover_pages [docs]

It is made from failover.json alone, so it can be made again, and no figure is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.failover_report import FailoverResult, table
from bench.pages import between, keep

RESULT = "failover.json"
BEGIN = "<!-- figures of failovers: made by python -m bench.failover_pages -->"
END = "<!-- end of the figures of failovers -->"


def read(folder: Path) -> FailoverResult:
    """The result in a folder."""
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=FailoverResult)


def write(result: FailoverResult, folder: Path) -> None:
    """Keep a result, and make the README's table of it when there is one beside the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    keep(result, folder / RESULT)
    readme = folder.parent / "README.md"
    if readme.exists() and BEGIN in readme.read_text():
        readme.write_text(between(BEGIN, END, readme.read_text(), of_the_readme(result)))


def of_the_readme(result: FailoverResult) -> str:
    """The figures of the README."""
    return f"{conditions(result)}\n\n{table(result)}"


def conditions(result: FailoverResult) -> str:
    """What was measured when, on what, in words."""
    machine = result.machine
    return (
        f"Quorate {machine.quorate} ({machine.commit}), etcd {result.etcd}, Python {machine.python}; {result.began}. "
        f"{machine}. {result.runs} runs of each, in turns: median (least to most)."
    )


if __name__ == "__main__":
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    write(read(docs), docs)
