"""Rows 12 to 15: changes of the configuration."""

from collections.abc import Iterable
from unittest.mock import PropertyMock, patch

from msgspec.structs import replace

from actors.raft.changes import Changes
from actors.raft.configuration import ConfigurationLog
from actors.raft.election import Election
from actors.raft.engine import Engine
from actors.raft.leader import Leader
from actors.raft.messages import Configure
from actors.raft.state import RaftState
from tests.simulation.mutations.table import Patch, Table

MUTATIONS = Table()


@MUTATIONS.row(12)
def changes_do_not_wait_for_each_other() -> Patch:
    """a change is made while another one is not committed"""

    def why_not(self: Changes, change: Configure) -> str:
        is_own = change.id == self._state.self_id and change.kind in ("remove", "demote")
        return "no" if is_own or not self._state.engine.is_leader else ""

    return patch.object(Changes, "_why_not", why_not)


@MUTATIONS.row(12)
def a_new_leader_changes_at_once() -> Patch:
    """a change is made before an entry of the leader's term is committed"""
    original = Changes._why_not

    def why_not(self: Changes, change: Configure) -> str:
        with patch.object(Leader, "is_established", PropertyMock(return_value=True)):
            return original(self, change)

    return patch.object(Changes, "_why_not", why_not)


@MUTATIONS.row(13, seed=17)
def a_truncated_change_stays_in_force() -> Patch:
    """a configuration outlives the entry that held it"""
    return patch.object(ConfigurationLog, "truncate_from", lambda self, index: False)


@MUTATIONS.row(13)
def a_change_waits_to_be_committed() -> Patch:
    """a configuration is not in force when it is appended"""
    return patch.object(ConfigurationLog, "append", lambda self, entries: False)


@MUTATIONS.row(14, seed=4)
def a_leader_takes_its_own_vote() -> Patch:
    """a leader removes itself, and counts itself all the same"""
    original = Changes._why_not

    def why_not(self: Changes, change: Configure) -> str:
        is_own = change.id == self._state.self_id
        return original(self, replace(change, id="somebody else") if is_own else change)

    return patch.object(Changes, "_why_not", why_not)


@MUTATIONS.row(15)
def a_standby_votes_with_its_leader() -> Patch:
    """a standby's acknowledgements count"""
    original = Engine.reconfigure

    def reconfigure(self: Engine, voters: Iterable[str], standbys: Iterable[str]) -> None:
        original(self, (*voters, *standbys), ())

    return patch.object(Engine, "reconfigure", reconfigure)


@MUTATIONS.row(15, seed=22)
def a_standby_stands() -> Patch:
    """a server without a vote stands for election"""
    original = Election.tick

    def tick(self: Election) -> bool:
        with patch.object(RaftState, "is_voter", PropertyMock(return_value=True)):
            return original(self)

    return patch.object(Election, "tick", tick)
