"""Names of files: whoever follows one, in a comment, a docstring or a page, finds it, and no folder's map lacks one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.project.sources import PACKAGES, ROOT, name, sources, tree

FILE = re.compile(r"(?<![\w*./:<{-])((?:[\w-]+/)*[\w-]+\.(?:py|md))\b")

FOLDER = re.compile(f"({'|'.join(PACKAGES)})/(.+/)?__init__.py")

# What the pages write for any file of a kind (docs/membership-cases.md says so).
PLACEHOLDERS = {"tests/unit/reconciler/test_case_x.py", "tests/unit/gossip/test_x.py"}

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def remarks(path: Path) -> Iterator[str]:
    """The comments and docstrings of a source."""
    yield from re.findall("# (.*)", path.read_text("utf-8"))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def test_a_file_that_a_remark_names_is_there() -> None:
    """Beside the one that names it, or by its path from the top."""
    unknown = [
        f"{name(path)}: {file}"
        for path in sources()
        for remark in remarks(path)
        for file in FILE.findall(remark)
        if not is_there(file, path)
    ]

    assert unknown == []


def test_a_file_that_a_page_names_is_there() -> None:
    """A page may leave the folder out where its sentence, or its table, says which one it is about."""
    bare = {path.name for path in (*sources(), *PAGES)}
    unknown = [
        f"{name(path)}: {file}"
        for path in PAGES
        for file in FILE.findall(path.read_text("utf-8"))
        if file not in bare | PLACEHOLDERS and not is_there(file, path)
    ]

    assert unknown == []


def test_what_a_page_names_in_a_file_is_there() -> None:
    """`actors/raft/core.py` `_won`: whoever opens the file finds the name."""
    texts = {path: path.read_text("utf-8") for path in sources()}
    unknown = [
        f"{name(path)}: {file} {what}"
        for path in PAGES
        for file, what in re.findall(r"`([\w/]+\.py)` `(\w+)`", path.read_text("utf-8"))
        if not any(
            re.search(rf"\b{what}\b", text) for source, text in texts.items() if f"/{name(source)}".endswith(f"/{file}")
        )
    ]

    assert unknown == []


@pytest.mark.parametrize("package", [path for path in sources() if FOLDER.match(name(path))], ids=name)
def test_a_package_says_which_file_is_for_what(package: Path) -> None:
    """Its docstring is the map of its folder: nothing is missing on it."""
    named = set(FILE.findall(ast.get_docstring(tree(package)) or ""))

    assert {path.name for path in package.parent.glob("*.py")} - {package.name} - named == set()


def is_there(file: str, path: Path) -> bool:
    """Whether a file is where its name says, as somebody reads it who looks at `path`."""
    return any((place / file).is_file() for place in (ROOT, path.parent))
