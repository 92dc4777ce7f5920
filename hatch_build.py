"""The build hook that turns the checkout's top-level packages into one package, quorate.

In the checkout `actors`, `transport`, `storage`, `commands` and `cli.py` are plain top-level modules, so that
`python cli.py`, pytest, mypy and editors work without an install. A wheel that put those names into site-packages
would overwrite, and be overwritten by, any other package with a `storage`; so in the wheel they live under `quorate.`
and their absolute imports are rewritten to match. Only `from NAME import ...` can be rewritten without changing what a
name means inside the module, so `import NAME` of one of them stops the build.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "quorate"
MOVED = ("actors", "cli", "commands", "storage", "transport")


class UnmovableImportError(Exception):
    """A module is imported in a way that has no equal under `quorate.`."""


def rewrite(source: str, filename: str) -> str:
    """Return `source` with its absolute imports of the moved modules put under `quorate.`.

    Raises UnmovableImportError on `import actors` and the like.
    """
    lines = source.splitlines(keepends=True)
    found: list[ast.ImportFrom] = []
    for node in ast.walk(ast.parse(source, filename)):
        if isinstance(node, ast.Import):
            bare = [alias.name for alias in node.names if _is_moved(alias.name)]
            if bare:
                raise UnmovableImportError(f"{filename}:{node.lineno}: write 'from ... import', not 'import {bare[0]}'")
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_moved(node.module or ""):
            found.append(node)
    # From the end of a line to its start, so that the offsets still to come stay true.
    for node in sorted(found, key=lambda each: each.col_offset, reverse=True):
        line = lines[node.lineno - 1].encode()  # the syntax tree counts offsets in bytes
        start = node.col_offset + len(b"from ")
        lines[node.lineno - 1] = (line[:start] + f"{PACKAGE}.".encode() + line[start:].lstrip()).decode()
    return "".join(lines)


def _is_moved(module: str) -> bool:
    return module.partition(".")[0] in MOVED


class CustomBuildHook(BuildHookInterface[Any]):
    """Writes the rewritten tree to a temporary folder and hands it to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stage the package for a standard wheel; an editable one points at the checkout itself."""
        if version == "editable":
            return
        self._staging = Path(tempfile.mkdtemp(prefix="quorate-wheel-"))
        root = Path(self.root)
        self._stage(root / PACKAGE, self._staging)
        for name in MOVED:
            folder = root / name
            if folder.is_dir():
                self._stage(folder, self._staging / name)
            else:
                self._stage_file(folder.with_suffix(".py"), self._staging / f"{name}.py")
        build_data["force_include"][str(self._staging)] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if version != "editable":
            shutil.rmtree(self._staging)

    def _stage(self, folder: Path, target: Path) -> None:
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and "__pycache__" not in relative.parts:
                self._stage_file(path, target / relative)

    def _stage_file(self, path: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            target.write_text(rewrite(path.read_text("utf-8"), str(path)), "utf-8")
        else:
            shutil.copyfile(path, target)
