"""PySyncObj under the guard: every private name the guard relies on is there, in the pinned version."""

from __future__ import annotations

import ast
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from pysyncobj import syncobj
from pysyncobj.journal import Journal as EngineJournal
from pysyncobj.node import Node
from pysyncobj.poller import Poller
from pysyncobj.syncobj import SyncObj
from pysyncobj.transport import Transport

from actors.raft import engine as engine_module
from actors.raft.engine import ENGINE_VERSION, Engine
from actors.raft.journal import Journal
from storage.raft_messages import HardState

ROOT = Path(__file__).parents[3]
PREFIX = "_SyncObj__"


def private_names() -> set[str]:
    """Every mangled name that actors/raft/engine.py reads, calls or overrides."""
    tree = ast.parse(inspect.getsource(engine_module))
    read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    overridden = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in read | overridden if name.startswith(PREFIX)}


def make_engine() -> Engine:
    """An engine on an empty log."""
    return Engine("s0", Journal(HardState(0, None), (1, 0), [], 1), lambda peer, message: None)


def test_version_is_pinned() -> None:
    """The installed engine, the one the code was written for and the one in pyproject.toml are the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert version("pysyncobj") == ENGINE_VERSION
    assert f"pysyncobj=={ENGINE_VERSION}" in project["dependencies"]


@pytest.mark.parametrize("name", sorted(private_names()))
def test_private_name_is_there(name: str) -> None:
    """A method of PySyncObj's class, or an attribute that its constructor sets."""
    engine = make_engine()

    assert hasattr(SyncObj, name) or name in vars(engine)


def test_every_private_name_is_listed() -> None:
    """The module's docstring names each one, with its reason."""
    listed = inspect.getdoc(engine_module) or ""
    short = {name.removeprefix("_SyncObj") for name in private_names()}

    assert {name for name in short if f"``{name}``" not in listed} == set()


@pytest.mark.parametrize("name", ["_SyncObj__applyLogEntries", "_SyncObj__tryLogCompaction"])
def test_override_is_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PySyncObj calls the method through its mangled name, so that ours is the one that runs."""
    calls: list[str] = []
    monkeypatch.setattr(Engine, name, lambda self: calls.append(name))

    make_engine().doTick(0.0)

    assert calls == [name]


def test_journal_is_replaced_by_name_and_restored() -> None:
    """``createJournal`` is looked up in the module while the engine is built, and is PySyncObj's own again after."""
    original = syncobj.createJournal
    journal = Journal(HardState(4, "s1"), (1, 0), [(b"\x01", 2, 3)], 2)

    engine = Engine("s0", journal, lambda peer, message: None)

    assert syncobj.createJournal is original
    assert engine._SyncObj__raftLog is journal
    assert (engine.term, engine.voted_for, engine.commit) == (4, "s1", 2)


@pytest.mark.parametrize("base", [EngineJournal, Poller, Transport])
def test_base_classes_ask_for_nothing_new(base: type) -> None:
    """What the engine calls on its journal, poller and transport is what ours answer."""
    known = {
        EngineJournal: {
            "add", "clear", "deleteEntriesFrom", "deleteEntriesTo", "__getitem__", "__len__", "_destroy",
            "setRaftCommitIndex", "getRaftCommitIndex", "setCurrentTerm", "getCurrentTerm", "getVotedForNodeId",
            "onOneSecondTimer",
        },
        Poller: {"subscribe", "unsubscribe", "poll"},
        Transport: {
            "__init__", "setOnMessageReceivedCallback", "setOnNodeConnectedCallback", "setOnNodeDisconnectedCallback",
            "setOnReadonlyNodeConnectedCallback", "setOnReadonlyNodeDisconnectedCallback",
            "setOnUtilityMessageCallback", "_onMessageReceived", "_onNodeConnected", "_onNodeDisconnected",
            "_onReadonlyNodeConnected", "_onReadonlyNodeDisconnected", "tryGetReady", "ready", "waitReady", "addNode",
            "dropNode", "send", "destroy",
        },
    }  # fmt: skip
    own = {name for name, value in vars(base).items() if callable(value) or isinstance(value, property)}

    assert own == known[base]


def test_nodes_are_equal_by_id() -> None:
    """The guard makes its own Node objects; the engine's sets and dictionaries must find them."""
    assert Node("s1") == Node("s1")
    assert hash(Node("s1")) == hash(Node("s1"))
    assert Node("s1") != Node("s2")


def test_engine_writes_no_file_and_starts_no_thread() -> None:
    """No dump, no journal file, no tick of its own."""
    conf = make_engine().conf

    assert (conf.fullDumpFile, conf.journalFile, conf.autoTick, vars(conf)["useFork"]) == (None, None, False, False)
    assert conf.dynamicMembershipChange is False
    assert conf.appendEntriesUseBatch is True


def test_role_says_what_the_engine_is() -> None:
    """A lone engine becomes leader of its first campaign."""
    engine = make_engine()
    assert (engine.role, engine.is_leader) == ("follower", False)

    engine.campaign()

    assert (engine.role, engine.is_leader, engine.term, engine.voted_for) == ("leader", True, 1, "s0")
    engine.step_down(1)
    assert (engine.role, engine.term, engine.voted_for) == ("follower", 1, "s0")
    engine.step_down(2)
    assert (engine.term, engine.voted_for) == (2, None)
