"""Changing the configuration: whether it may be done now.

What lives here: the guard of one change at a time (docs/design.md, rows 12 and 14).  What does not: what a change does
to a configuration (configuration.py) and which one is wanted (actors/reconciler).

Rules:
1. A leader changes nothing before an entry of its own term is committed, or two leaders' configurations could have
   majorities that do not meet.
2. One change at a time: the last one is committed before the next is appended.
3. A leader does not take away its own vote: the engine always counts it.  It hands over first.
4. A first configuration of several servers stands before the log, on the disk of each that founded the cluster.  The
   first entry of their first leader says it again, in the place of a no-op, for one that joined the others instead of
   founding with them: with an entry and without a configuration it could not stand, and nobody could get its vote.  It
   changes nothing, so rule 1 is not for it, and nobody has it before it is on the leader's disk (leader.py, rule 6).
"""

from actors.raft.configuration import ChangeRefusedError, Server
from actors.raft.entries import encode_configuration
from actors.raft.journal import FRESH_ANCHOR_INDEX
from actors.raft.leader import Leader
from actors.raft.messages import Configure
from actors.raft.state import RaftState
from actors.raft.transfer import Transfer


class Changes:
    """The leader's changes of the configuration."""

    def __init__(self, state: RaftState, leader: Leader, handover: Transfer) -> None:
        self._state = state
        self._leader = leader
        self._handover = handover

    def make(self, change: Configure) -> str:
        """Append one change; returns "" or the reason why not."""
        reason = self._why_not(change)
        if reason:
            return reason
        state = self._state
        try:
            server = Server(change.id, change.name, change.address, voter=False)
            configuration = state.configuration.changed(change.kind, server)
        except ChangeRefusedError as refused:
            return str(refused)
        index = state.journal.last_index + 1
        state.engine.append(encode_configuration(configuration.encode()))
        state.note_appended(index)
        self._leader.reconfigured()
        return ""

    def won(self) -> None:
        """This server leads now, and the no-op of its term is in the log."""
        state = self._state
        if state.configurations.latest_index <= FRESH_ANCHOR_INDEX and state.peers:
            state.journal.fill_no_op(encode_configuration(state.configuration.encode()))
            state.note_appended(state.journal.last_index)

    def _why_not(self, change: Configure) -> str:
        state = self._state
        if not state.engine.is_leader:
            return "this server is not the leader"
        if not self._leader.is_established:
            return "no entry of this term is committed yet"
        if state.configurations.latest_index > state.engine.commit:
            return "another change is not committed yet"
        if change.base_index != state.configurations.latest_index:
            return "the configuration has changed meanwhile"
        if change.id == state.self_id and change.kind in ("remove", "demote"):
            return "a leader does not take away its own vote: transfer leadership first"
        if self._handover.is_under_way:
            return "leadership is being handed over"
        return ""
