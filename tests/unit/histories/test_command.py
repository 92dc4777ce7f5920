"""`python -m tests.histories FILE`: what it says and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.histories.__main__ import main
from tests.linearizability.history import History
from tests.linearizability.operation import Operation
from tests.unit.histories.test_watch_stories import BROKEN, KEPT
from tests.unit.histories.watching import bookmark, compacted, read, tell, update, watch, write
from tests.unit.linearizability.stories import ok
from tests.unit.project.sources import ROOT

RUN_TIMEOUT_S = 30


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the history is."""
    return tmp_path / "history.jsonl"


def test_a_broken_promise_is_named_from_the_command_line(file: Path) -> None:
    """As one does after a run that failed: a line on what was held, and one on what broke, and 1."""
    BROKEN["a change told twice"][0].save(file)

    done = subprocess.run(
        [sys.executable, "-m", "tests.histories", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "watches: 2 update, 1 watch, 1 write (1 open or unknown): 1 violation",
        (
            "unique: one revision twice: #3 update 1 'a' '1' of w from 3.000 to 3.500 s; "
            "#4 update 1 'a' '1' of w from 4.000 to 4.500 s"
        ),
    ]


def test_what_holds_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All is well, and 0."""
    KEPT["everything in order"].save(file)

    assert main([str(file)]) == 0
    assert capsys.readouterr().out == (
        "watches: 1 bookmark, 2 update, 1 watch, 2 write (1 open or unknown): all promises held\n"
    )


def test_many_violations_are_not_all_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first of each promise, and how many more there are."""
    tell(watch(), *(update(number, "a", str(number)) for number in range(1, 21))).save(file)

    assert main([str(file)]) == 1
    out = capsys.readouterr().out
    assert out.count("authentic: nobody wrote it") == 5
    assert out.endswith("authentic: 15 more\n")


@pytest.mark.parametrize(
    ("operations", "what"),
    [
        ([], "there is nothing in it"),
        ([ok("a", (0, 1), "increment")], "no checker knows the function 'increment'"),
        ([write(1, "a")], "#1: its changes are no pairs"),
        ([write(1, "a", "1", "a", "2")], "#1: 'a' is no key, or there twice"),
        ([write(1, 7, "1")], "#1: 7 is no key, or there twice"),
        ([write(-1, "a", "1")], "#1: -1 is no revision"),
        ([watch(True)], "#1: True is no revision"),
        ([watch(), update(1)], "#2: its changes are no pairs"),
        ([update(1, "a", "1")], "#1: its client has no such watch"),
        ([watch(), update(1, "a", "1", key="other")], "#2: its client has no such watch"),
        ([watch(), compacted(3), bookmark(4)], "#3: its watch had ended"),
        ([read("a", 1, "1"), Operation(0, "r", "a", "read", (), ok("r", (0, 1), "read").outcome, None, 1, 2)],
         "#2: read has 1 arguments, not 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(
    file: Path, operations: list[Operation], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says why, and 2: it would be no verdict."""
    tell(*operations).save(file)

    assert main([str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert what in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(("content", "what"), [(b"\xff\n", "history.jsonl:1: "), (None, "No such file")])
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


def test_a_history_survives_its_file(file: Path) -> None:
    """What is judged again is what was judged."""
    history = KEPT["resumed where it broke"]

    history.save(file)

    assert History.load(file) == history
