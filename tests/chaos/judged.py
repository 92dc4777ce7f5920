"""The verdict on what a chaos test recorded; a history that does not hold stays in a file.

What lives here: judging, keeping, and saying how to judge it again. What does not: the promises (tests/histories).
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.histories.verdict import judge
from tests.linearizability.history import History

HISTORY_FILE = "history.jsonl"


def judged(history: History, folder: Path) -> None:
    """Print what was held. Raises AssertionError with every broken promise, and the command that judges it again."""
    began = time.monotonic()
    verdict = judge(history)
    print(f"{verdict}, checked in {time.monotonic() - began:.1f} s")
    if verdict.violations:
        path = folder / HISTORY_FILE
        history.save(path)
        raise AssertionError(f"{verdict}\njudge it again with: python -m tests.histories {path}")
