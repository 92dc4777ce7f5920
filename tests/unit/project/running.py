"""Running a program, and what it prints: one of the project's as a reader of its pages would, or any other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.unit.project.sources import ROOT

RUN_TIMEOUT_S = 50


def said(program: str, folder: Path) -> str:
    """What the text of a program prints."""
    file = folder / "program.py"
    file.write_text(program, "utf-8")
    return file_said(file, folder)


def file_said(program: Path, folder: Path) -> str:
    """What a program prints that is run from a folder."""
    return run(sys.executable, program, cwd=folder, env={"PYTHONPATH": str(ROOT)})


def run(*command: str | Path, cwd: Path, env: Mapping[str, str], timeout_s: float = RUN_TIMEOUT_S) -> str:
    """What a command prints; a failure shows both its outputs."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
