"""docs/membership-cases.md is complete, and the tests it names exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.unit.project.sources import ROOT

PAGE = (ROOT / "docs" / "membership-cases.md").read_text("utf-8")
SHORT = {
    re.compile(r"^(case_[a-z])$"): "tests/unit/reconciler/test_{}.py",
    re.compile(r"^gossip/(\w+)$"): "tests/unit/gossip/test_{}.py",
}
"""What the page writes for a file, and where that is."""

CASES = {"B": 11, "J": 14, "F": 17, "L": 8, "E": 7, "Q": 4, "S": 44, "P": 6}
"""How many there are of each letter."""

NAMED = sorted(set(re.findall(r"`([\w/.]+)::(test_\w+)`", PAGE)))
ROWS = dict(re.findall(r"^\| ([A-Z]\d+) \|.*\|(.*)\|$", PAGE, re.MULTILINE))


def test_every_case_has_a_row() -> None:
    """And none has two."""
    wanted = {f"{letter}{number}" for letter, last in CASES.items() for number in range(1, last + 1)}
    listed = re.findall(r"^\| ([A-Z]\d+) \|", PAGE, re.MULTILINE)

    assert sorted(wanted - set(listed)) == []
    assert len(listed) == len(set(listed))


def test_every_row_names_a_test_or_says_why_there_is_none() -> None:
    """A row without either would hold nothing."""
    assert [case for case, held_by in ROWS.items() if "::test_" not in held_by and len(held_by.split()) < 5] == []


@pytest.mark.parametrize(("where", "name"), NAMED)
def test_a_test_of_the_page_exists(where: str, name: str) -> None:
    """Under that name, in that file."""
    paths = [place.format(found[1]) for short, place in SHORT.items() if (found := short.match(where))]

    assert name in _functions(ROOT / (paths or [where])[0])


def _functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
