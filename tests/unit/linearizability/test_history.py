"""A history is the same after it was saved, and what is no history is refused with the line that is to blame."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tests.linearizability.history import History, HistoryError, decode, encode
from tests.linearizability.operation import Operation, Outcome
from tests.unit.linearizability.stories import ok, tell, unknown

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
TIMES = st.floats(0, 1e9)
OPERATIONS = st.builds(
    Operation,
    number=st.just(1),
    client=st.text(),
    key=st.text(),
    function=st.text(),
    arguments=st.lists(VALUES).map(tuple),
    outcome=st.sampled_from(Outcome),
    result=VALUES,
    invoked_s=TIMES,
    returned_s=TIMES | st.just(inf),
)
LINE = encode(ok("a", (0, 1), "write", "x"))


@given(OPERATIONS)
def test_an_operation_survives_its_line(operation: Operation) -> None:
    """Text, bytes and numbers, whatever is in them, and times to the last bit."""
    line = encode(operation)

    assert decode(line, 1) == operation
    assert "\n" not in line


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    """In the order of the numbers, which are those of the lines."""
    history = tell(ok("a", (2, 3), "write", b"\x00\n"), unknown("b", (0, inf), "cas", "x", None))
    backwards = History(history.operations[::-1])

    backwards.save(tmp_path / "history.jsonl")

    assert History.load(tmp_path / "history.jsonl") == history


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "Expecting value"),
        ("[]", "not an object"),
        ("{}", "there is no 'returned_s'|there is no 'arguments'"),
        (LINE.replace('"ok"', '"fine"'), "'fine' is not a valid Outcome"),
        (LINE.replace('["x"]', '"x"'), "arguments are no list"),
        (LINE.replace('["x"]', "[[1]]"), r"\[1\] is no value"),
        (LINE.replace('["x"]', "[1.5]"), "1.5 is no value"),
        (LINE.replace('"k"', "7"), "7 is no text"),
        (LINE.replace('"invoked_s": 0', '"invoked_s": "soon"'), "could not convert"),
        (LINE.replace('"invoked_s": 0', '"invoked_s": 1' + "0" * 400), "too large"),
        ("[" * 100_000, "recursion"),
        ("\ufeff\x00", "."),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    """With its number, as one line, never as a traceback."""
    path = tmp_path / "history.jsonl"
    path.write_text(f"{LINE}\n{line}\n{LINE}\n", "utf-8")

    with pytest.raises(HistoryError, match=f"history.jsonl:2: this is no operation: .*({what})"):
        History.load(path)


@pytest.mark.parametrize(
    ("invoked_s", "returned_s", "what"),
    [
        (0, -1, "before its invocation"),
        (0, nan, "before its invocation"),
        (0, inf, "never returned"),
        (-inf, 1, "invoked at -inf"),
        (nan, 1, "invoked at nan"),
    ],
)
def test_impossible_times_are_refused(invoked_s: float, returned_s: float, what: str) -> None:
    """They would give a verdict about nothing."""
    with pytest.raises(HistoryError, match=f"#1: .*{what}"):
        tell(ok("a", (invoked_s, returned_s), "read"))


def test_a_number_names_one_operation() -> None:
    """An explanation names operations by their numbers."""
    operation = evolve(ok("a", (0, 1), "read"), number=3)

    with pytest.raises(HistoryError, match="#3 is there twice"):
        History([operation, operation])
