"""`python -m tests.simulation`: what it says and how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import pytest

from actors.raft.journal import Journal
from tests.simulation.__main__ import main
from tests.unit.project.sources import ROOT


@pytest.fixture
def promises_without_a_disk() -> Iterator[None]:
    """Servers speak before what they say is on disk."""
    with mock.patch.object(Journal, "next_promise", 0):
        yield


def test_held_seeds_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    """0, the faults by kind, a last line; nothing but that."""
    assert main(["--seeds", "0-3"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "faults injected:"
    assert any(line.strip().startswith("crash") for line in lines)
    assert lines[-1].startswith("4 seeds, ")
    assert lines[-1].endswith("every seed held")
    assert captured.err == ""


@pytest.mark.usefixtures("promises_without_a_disk")
def test_a_failing_seed_has_a_line_that_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    """1, and the command; run again it says the same."""
    assert main(["--seeds", "0-39", "--jobs", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if "; replay: python -m tests.simulation --replay " in line]
    assert failed
    assert lines[-1].endswith(f"{len(failed)} seeds did not hold")

    seed = failed[0].rpartition(" ")[2]
    assert main(["--replay", seed]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == failed[0]


@pytest.mark.parametrize("arguments", [("--replay", "3"), ("--seeds", "3-3", "--jobs", "1")])
@pytest.mark.parametrize(("sink", "said"), [(">/dev/full", "error: cannot write the output"), ("| true", "")])
def test_output_that_cannot_be_written(arguments: tuple[str, ...], sink: str, said: str) -> None:
    """A full disk is one line and 1, a reader that has seen enough is nothing: neither passes for a violation."""
    line = f"{{ {sys.executable} -m tests.simulation {' '.join(arguments)}; echo $? >&2; }} {sink}"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == (2 if said else 1)
    assert done.stderr.splitlines()[-1] in ("0", "1")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--seeds", "x"], "'x' is no range of seeds"),
        (["--seeds", "0-"], "'0-' is no range of seeds"),
        (["--seeds", "9-3"], "'9-3' has 0 seeds"),
        (["--seeds", "-1"], "is no range of seeds"),
        (["--replay", "one"], "'one' is not a valid integer"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--surprise"], "No such option"),
        (["more"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And 2."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert what in captured.err
    assert captured.err.count("\n") == 1
