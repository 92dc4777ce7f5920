"""The command line as a user has it: a process of its own, its exit code, what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, str(ROOT / "cli.py"))
COMMAND_TIMEOUT_S = 60.0


@frozen
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, for `--format json`."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line that a failed command says. Raises AssertionError when it said more, or nothing."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, f"one line of error expected: {self}"
        assert "Traceback" not in self.err
        return lines[0]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what Quorate reads, and with `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QUORATE_")} | dict(more or {})


def run(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Outcome:
    """Run `python cli.py ARGUMENTS` to its end."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        env=environment(env),
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
