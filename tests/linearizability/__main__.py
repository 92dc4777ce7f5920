"""Judge a recorded history of registers: `python -m tests.linearizability FILE`.

Ends with 0 if it is linearizable, 1 if not, 2 if the file cannot be judged, and 3 if the budget was too small.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.linearizability.checker import BUDGET_STEPS, Answer, check
from tests.linearizability.history import History, HistoryError
from tests.linearizability.models import Register
from tests.linearizability.report import report

EXIT_UNUSABLE = 2
EXIT_CODES = {Answer.YES: 0, Answer.NO: 1, Answer.UNDECIDED: 3}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.linearizability", description=__doc__)
    parser.add_argument("file", type=Path, help="the history: JSON lines, as a recorder saves them")
    parser.add_argument("--budget", type=int, default=BUDGET_STEPS, help="steps before giving up (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        history = History.load(options.file)
        verdict = check(history, Register(), options.budget)
    except (HistoryError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    print(report(history, Register(), verdict, options.budget))
    return EXIT_CODES[verdict.answer]


if __name__ == "__main__":
    sys.exit(main())
