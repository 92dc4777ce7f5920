"""`python -m tests.linearizability FILE`: what it says and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.linearizability.__main__ import main
from tests.unit.linearizability.stories import ok, tell
from tests.unit.linearizability.test_stories import IMPOSSIBLE, POSSIBLE
from tests.unit.project.sources import ROOT

RUN_TIMEOUT_S = 30


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the history is."""
    return tmp_path / "history.jsonl"


def test_a_recorded_history_is_judged_again(file: Path) -> None:
    """From the command line, as one does after a run that failed."""
    IMPOSSIBLE["a stale read"].save(file)

    done = subprocess.run(
        [sys.executable, "-m", "tests.linearizability", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.startswith("3 operations of 3 clients on 1 keys: not linearizable")
    assert "impossible: #3 read → 'x' of c" in done.stdout


def test_a_linearizable_history_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All is well, and 0."""
    POSSIBLE["each key by itself"].save(file)

    assert main([str(file)]) == 0
    assert capsys.readouterr().out.startswith("3 operations of 1 clients on 2 keys: linearizable")


def test_a_budget_too_small_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Undecided is no yes: 3."""
    POSSIBLE["a write and its read"].save(file)

    assert main([str(file), "--budget", "1"]) == 3
    assert "undecided: 'k'" in capsys.readouterr().out


def test_many_faults_are_not_all_explained(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys are named as far as one reads, and a few explained."""
    tell(*(ok("a", (at, at + 0.5), "read", gives="x", key=f"k{at:02}") for at in range(15))).save(file)

    assert main([str(file)]) == 1
    out = capsys.readouterr().out
    assert "'k09' and 5 more keys" in out
    assert out.count("impossible: ") == 3


@pytest.mark.parametrize(
    ("content", "what"), [(b"\xff\n", "history.jsonl:1: this is no operation"), (None, "No such file")]
)
def test_an_unusable_file_is_one_line(
    file: Path, content: bytes | None, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And 2."""
    if content is not None:
        file.write_bytes(content)

    assert main([str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert what in captured.err
    assert captured.err.count("\n") == 1


def test_another_objects_history_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be no verdict."""
    tell(ok("a", (0, 1), "increment")).save(file)

    assert main([str(file)]) == 2
    assert "a register has no function 'increment'" in capsys.readouterr().err
