"""A journal tells what a process was about, also of one that was killed in the midst of a line."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest
from attrs import evolve

from tests.histories.journal import line_of, merged, read_journal
from tests.linearizability.operation import Operation, Outcome
from tests.linearizability.recorder import Recorder
from tests.unit.linearizability.stories import ok
from tests.unit.linearizability.test_recorder import Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal.jsonl"


def recorded(path: Path) -> Recorder:
    """A recorder that keeps a journal."""

    def note(operation: Operation) -> None:
        with path.open("a") as journal:
            print(line_of(operation), file=journal)

    return Recorder(Clock(), noted=note)


def test_what_is_under_way_when_the_process_is_killed_is_open(path: Path) -> None:
    """It may have been carried out; what had ended is known with its result."""
    recorder = recorded(path)
    with recorder.operation("a", "k", "read") as operation:
        operation.result = "x"
    with recorder.operation("a", "k", "write", "y"):
        first, second = read_journal(path)

    assert first == Operation(1, "a", "k", "read", (), Outcome.OK, "x", 1.0, 2.0)
    assert second == Operation(2, "a", "k", "write", ("y",), Outcome.UNKNOWN, None, 3.0, inf)
    assert read_journal(path) == list(recorder.history())


def test_a_torn_line_is_no_line(path: Path) -> None:
    """The line before it is what is known."""
    begun = evolve(ok("a", (1, inf), "read"), number=1, outcome=Outcome.UNKNOWN)
    path.write_text(line_of(begun) + "\n" + line_of(evolve(begun, outcome=Outcome.OK, returned_s=2.0))[:-7])

    assert read_journal(path) == [begun]


def test_several_journals_are_one_history() -> None:
    """Numbered by the times at which operations began."""
    one = [evolve(ok("a", (1, 2), "read"), number=1), evolve(ok("a", (5, 6), "read"), number=2)]
    other = [evolve(ok("b", (3, 4), "read"), number=1)]

    history = merged(one, other)

    assert [(operation.number, operation.client) for operation in history] == [(1, "a"), (2, "b"), (3, "a")]
