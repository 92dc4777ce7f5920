"""The rules of the house that no linter holds: arrows between packages, cores without input or output, short files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.unit.project.sources import PACKAGES, ROOT, imports, name, sources, tree

LINES_MAX = 400

# Which packages a package may import, besides itself. The arrows point one way.
ARROWS = {
    "transport": set[str](),
    "storage": {"transport"},
    "actors": {"storage", "transport", "quorate"},
    "commands": {"actors", "storage", "transport", "quorate"},
}

# What a core must not import: time, randomness and the world come in as arguments.
WORLD = {"aiohttp", "asyncio", "random", "socket", "sqlite3", "subprocess", "threading", "time", "zmq"}

# The cores: every module of these folders but the ones named, which carry a core's effects out, and single files.
CORE_FOLDERS = {
    "actors/events": {"events.py", "runner.py"},
    "actors/gossip": {"gossip.py"},
    "actors/keyring": {"keyring.py"},
    "actors/raft": {"raft.py", "restoring.py"},
    "actors/reconciler": {"reconciler.py"},
}
CORE_FILES = (
    "actors/gateway/calls.py",
    "actors/gateway/core.py",
    "actors/gateway/latency.py",
    "actors/runtime/policy.py",
    "commands/agreement.py",
    "storage/kv.py",
    "storage/state_machine.py",
    "transport/wire.py",
)

FIRST_PARTY = [path for path in sources() if path.relative_to(ROOT).parts[0] in (*PACKAGES, "cli.py", "quorate")]


def top(module: str) -> str:
    """The top-level name of a dotted module."""
    return module.partition(".")[0]


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_file_holds_one_noun(path: Path) -> None:
    """No source grows past the length one sitting can read."""
    lines = path.read_text("utf-8").count("\n")

    assert lines <= LINES_MAX, f"{name(path)} has {lines} lines: split it"


@pytest.mark.parametrize("path", sources(), ids=name)
def test_modules_are_imported_by_name(path: Path) -> None:
    """`import actors` could not be moved under `quorate.` in a wheel; `from actors... import` can."""
    moved = {*PACKAGES, "cli"}
    bare = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import) and any(top(alias.name) in moved for alias in node.names)
    ]

    assert bare == [], f"{name(path)}: write 'from ... import' on lines {bare}"


@pytest.mark.parametrize("path", FIRST_PARTY, ids=name)
def test_no_module_path_hides_in_a_string(path: Path) -> None:
    """The wheel rewrites imports, not strings: a module named by a string would be missing there."""
    hidden = [
        (node.value, node.lineno)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_module(node.value)
    ]

    assert hidden == []


def is_module(text: str) -> bool:
    """Whether a text is the dotted path of a module in this checkout."""
    parts = text.split(".")
    if parts[0] not in PACKAGES or len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return False
    return ROOT.joinpath(*parts).with_suffix(".py").is_file() or ROOT.joinpath(*parts).is_dir()


@pytest.mark.parametrize("path", FIRST_PARTY, ids=name)
def test_loggers_are_named_by_area(path: Path) -> None:
    """`__name__` differs between the checkout and the wheel, so a logger of that name could not be configured once."""
    unnamed = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "getLogger"
        and any(isinstance(name, ast.Name) and name.id == "__name__" for name in node.args)
    ]

    assert unnamed == [], f"{name(path)}: name the logger 'quorate.<area>' on lines {unnamed}"


@pytest.mark.parametrize("package", ARROWS)
def test_arrows_point_one_way(package: str) -> None:
    """cli -> commands -> actors -> storage -> transport: nothing below knows what is above it."""
    ours = {*PACKAGES, "cli", "quorate", "scripts", "tests"}
    allowed = {package, *ARROWS[package]}
    against = [
        f"{name(path)}:{line} imports {module}"
        for path in sources()
        if path.relative_to(ROOT).parts[0] == package
        for module, line in imports(path)
        if top(module) in ours - allowed
    ]

    assert against == []


def cores() -> list[Path]:
    """The modules that only turn events and a time into effects."""
    found = [path for path in sources() if name(path) in CORE_FILES]
    for folder, actors in CORE_FOLDERS.items():
        found += [path for path in sources() if path.parent == ROOT / folder and path.name not in actors]
    return found


@pytest.mark.parametrize("path", cores(), ids=name)
def test_a_core_asks_nothing_of_the_world(path: Path) -> None:
    """Time, randomness, files and sockets come in as arguments, or no simulator could drive the core."""
    worldly = [f"{name(path)}:{line} imports {module}" for module, line in imports(path) if top(module) in WORLD]

    assert worldly == []
