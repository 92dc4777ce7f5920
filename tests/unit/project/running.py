"""Running a program of the project, as a reader of its pages would."""

from __future__ import annotations

import subprocess
import sys
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
    done = subprocess.run(
        [sys.executable, program],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
