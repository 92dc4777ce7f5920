"""The project's own Python sources, parsed: what the style tests look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("actors", "commands", "storage", "transport")
FOLDERS = (*PACKAGES, "bench", "examples", "quorate", "scripts", "tests")


@cache
def sources() -> tuple[Path, ...]:
    """Every Python file of the project, those of tools and environments left out."""
    found = [*ROOT.glob("*.py")]
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*.py")
    return tuple(sorted(found))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of one source."""
    return ast.parse(path.read_text("utf-8"), str(path))


def name(path: Path) -> str:
    """The path as a reader would write it: relative to the checkout, with slashes."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every absolute import that happens when the code runs, as (module, line); not those for type checkers."""
    for node in _runtime_nodes(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from _runtime_nodes(child)
