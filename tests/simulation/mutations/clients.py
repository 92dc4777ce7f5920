"""Rows 18 to 21: what is applied, what is answered, and what is read."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import PropertyMock, patch

from actors.raft import attesting
from actors.raft.applier import Applier, Query
from actors.raft.core import RaftCore
from actors.raft.leader import Leader
from actors.raft.messages import Heartbeat, ReadIndexReply
from actors.raft.reads import Reads
from actors.raft.state import RaftState
from storage.sessions import SessionMachine
from tests.simulation.mutations.table import Patch, Table
from transport.client import attested as client_attested
from transport.client.attestation import Word, encode_word

MUTATIONS = Table()


@MUTATIONS.row(18, story="raft/test_rows_clients.py::test_row_18_failing_command_is_an_answer")
def a_failing_command_stops_the_server() -> Patch:
    """an exception of the state machine is let through (the simulated store raises none)"""
    return patch.object(Applier, "_apply_one", lambda self, command, index: ("ok", self._machine.apply(command)))


@MUTATIONS.row(19, seed=132)
def answers_are_keyed_by_index_alone() -> Patch:
    """whoever proposed an entry takes the answer of another term's at its index"""
    original = Applier._claim

    def claim(self: Applier, index: int, term: int) -> Sequence[int]:
        is_next = bool(self._pending) and self._pending[0][0] == index
        return original(self, index, self._pending[0][1] if is_next else term)

    return patch.object(Applier, "_claim", claim)


@MUTATIONS.row(20)
def a_read_is_not_confirmed() -> Patch:
    """a leader answers reads without asking whether it still leads"""

    def finish(self: Reads) -> None:
        done, self._round = self._round, None
        if done is None:
            return
        if done.reads.tokens:
            self.ready.append((done.index, done.reads.tokens))
        for peer, request in done.reads.asked:
            self._state.outbox.send(peer, ReadIndexReply(self._state.engine.term, request, done.index))

    return patch.object(Reads, "_finish_round", finish)


@MUTATIONS.row(20, seed=9)
def an_earlier_round_confirms_a_read() -> Patch:
    """answers to heartbeats that were sent before a read arrived count for it"""

    def begin_round(self: Leader, peers: Any, *, wants_reply: bool) -> int:
        state = self._state
        self.round += 1
        for peer in peers:
            state.outbox.send(peer, Heartbeat(state.engine.term, self.round, state.engine.commit, wants_reply))
        return self.round - 1

    return patch.object(Leader, "_begin_round", begin_round)


@MUTATIONS.row(20, seed=9)
def a_new_leader_reads_at_once() -> Patch:
    """a leader reads before an entry of its term is committed"""
    original = Reads.flush

    def flush(self: Reads) -> None:
        with patch.object(Leader, "is_established", PropertyMock(return_value=True)):
            original(self)

    return patch.object(Reads, "flush", flush)


@MUTATIONS.row(20, seed=84)
def words_of_any_term_confirm_a_read() -> Patch:
    """an attested read is confirmed by servers that may have voted for another leader since"""

    def is_confirmed(leader: Word, words: Sequence[Word]) -> bool:
        return len({word.server for word in words}.intersection(leader.voters)) > len(leader.voters) // 2

    return patch.object(client_attested, "is_confirmed", is_confirmed)


@MUTATIONS.row(20, seed=84)
def a_leaders_word_confirms_a_read() -> Patch:
    """an attested read is confirmed by the leader alone"""
    return patch.object(client_attested, "is_confirmed", lambda leader, words: True)


@MUTATIONS.row(20, seed=17)
def a_new_leader_attests_at_once() -> Patch:
    """a leader answers attested reads before an entry of its term is committed"""

    def attest(query: Query, core: RaftCore, applier: Applier) -> None:
        state = core.state
        voters = sorted(state.configuration.voters) if state.engine.is_leader else []
        applier.read_at(state.engine.commit, query, encode_word(Word(state.self_id, state.engine.term, voters)))

    return patch.object(attesting, "_attest", attest)


@MUTATIONS.row(20, seed=2)
def a_minority_confirms_a_read() -> Patch:
    """one answer confirms a read, whoever gave it"""
    original = Reads._finish_round

    def finish(self: Reads) -> None:
        with patch.object(RaftState, "is_quorum", lambda self, ids: bool(list(ids))):
            original(self)

    return patch.object(Reads, "_finish_round", finish)


@MUTATIONS.row(20, seed=3)
def a_read_does_not_wait_to_be_applied() -> Patch:
    """a read is answered from the state as it is, whatever index it has to see"""
    return patch.object(Applier, "read_at", lambda self, index, query, word=b"": self.read_now(query, word))


@MUTATIONS.row(21)
def a_retry_is_applied_again() -> Patch:
    """a session's command is applied as often as it is sent"""
    original = SessionMachine._apply_once

    def apply_once(self: SessionMachine, session: Any, sequence: int, command: bytes) -> Any:
        session.outcomes.pop(sequence, None)
        return original(self, session, sequence, command)

    return patch.object(SessionMachine, "_apply_once", apply_once)
