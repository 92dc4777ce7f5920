"""`start --app MODULE:CLASS`: what is no state machine gets one line that says why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.app import STORE, AppError, app_name, load_app
from quorate import Node, NodeConfig
from storage.kv import KeyValueStore

APPS = """
class Half:
    apply = read = lambda self, data: data

class Whole(Half):
    def snapshot(self): return []
    def restore(self, chunks): pass

class Broken(Whole):
    def __init__(self): raise OSError("no disk")

class Outer:
    Inner = Whole

number = 7
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with modules in it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_apps.py").write_text(APPS)
    (tmp_path / "bad_syntax.py").write_text("def\n")
    (tmp_path / "bad_import.py").write_text("import not_there_at_all\n")
    (tmp_path / "exits.py").write_text("raise SystemExit(0)\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_class_of_the_current_directory() -> None:
    """It is known by the name of the class."""
    assert app_name(load_app("own_apps:Whole")) == "Whole"
    assert app_name(load_app("own_apps:Outer.Inner")) == "Whole"
    assert app_name(KeyValueStore) == STORE == "KeyValueStore"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_apps", "names no class: write MODULE:CLASS"),
        ("own_apps:", "names no class"),
        ("own-apps:Whole", "names no class"),
        (":Whole", "names no class"),
        ("nowhere_at_all:X", "there is no module nowhere_at_all in "),
        ("nowhere_at_all.apps:X", "there is no module nowhere_at_all in "),
        ("own_apps.more:X", "the module own_apps.more cannot be imported|there is no module own_apps.more"),
        ("bad_syntax:X", r"bad_syntax cannot be imported: SyntaxError: [^()]+ \([^()]*bad_syntax.py, line 1\)$"),
        ("bad_import:X", "bad_import cannot be imported: ModuleNotFoundError: .*bad_import.py, line 1"),
        ("exits:X", "exits cannot be imported: SystemExit"),
        ("own_apps:Hole", "own_apps has no Hole: did you mean Whole?"),
        ("own_apps:number", "number is no class, it is of type int"),
        ("own_apps:Half", "Half is no state machine, it lacks snapshot, restore"),
        ("own_apps:Broken", r"Broken cannot be made: OSError: no disk \(.*own_apps.py, line 10\)"),
    ],
)
def test_what_is_no_app(name: str, words: str) -> None:
    """One line, and a usage error."""
    with pytest.raises(AppError, match=words) as no:
        load_app(name)

    assert no.value.exit_code == 2
    assert "\n" not in str(no.value)


def test_a_node_is_given_an_app_by_its_name_or_itself(here: Path) -> None:
    """A program hears of a class that is no state machine when it makes the node, before there is a data directory."""
    Node(NodeConfig(here / "data", app="own_apps:Whole"))
    with pytest.raises(AppError, match="lacks apply, read, snapshot, restore"):
        Node(NodeConfig(here / "data"), dict)  # type: ignore[arg-type]

    assert not (here / "data").exists()
