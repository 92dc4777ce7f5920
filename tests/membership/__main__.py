"""Measure gossip among many in virtual time: `python -m tests.membership`, into docs/gossip.md and its picture.

Ends with 0 if every goal is reached, 1 if one is missed, 2 for wrong usage, and 130 when interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from tests.membership.measure import MEASUREMENTS, missed

EXIT_MISSED = 1
EXIT_INTERRUPTED = 130
DOCS = Path(__file__).parents[2] / "docs"


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="Measure these; keep what is known.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=DOCS, help="Where the page is.")
def main(only: tuple[str, ...], jobs: int, out: Path) -> None:
    """Measure, write the page anew, and say which goals are missed."""
    from tests.membership import page  # matplotlib comes with the extra "bench": better missed now than in the end

    kept = out / "gossip.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    for name in only or [name for name in MEASUREMENTS if name != "huge"]:
        click.echo(f"{name} ...", err=True)
        figures[name] = MEASUREMENTS[name](jobs)
        kept.write_text(json.dumps(figures, indent=1) + "\n")
    page.write(figures, out / "gossip.md")
    for goal in (found := missed(figures)):
        click.echo(f"missed: {goal}", err=True)
    sys.exit(EXIT_MISSED if found else 0)


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
