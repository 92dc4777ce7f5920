"""Rows 7 to 11: who may stand, who is voted for, and how a lead is handed over."""

from unittest.mock import PropertyMock, patch

from msgspec.structs import replace

from actors.raft.core import RaftCore
from actors.raft.election import Election
from actors.raft.engine import Engine
from actors.raft.leader import Leader
from actors.raft.messages import TimeoutNow, VoteReply, VoteRequest
from actors.raft.state import RaftState
from actors.raft.transfer import Transfer
from tests.simulation.mutations.table import Patch, Table

MUTATIONS = Table()


@MUTATIONS.row(7, seed=3)
def votes_of_anybody_count() -> Patch:
    """votes are counted without asking who gave them, or how often"""
    original = Election.on_reply

    def on_reply(self: Election, sender: str, reply: VoteReply) -> bool:
        if reply.pre or not reply.granted or self._stage != "real":
            return original(self, sender, reply)
        self._state.engine.receive(sender, {"type": "response_vote", "term": reply.request_term})
        return False

    return patch.object(Election, "on_reply", on_reply)


@MUTATIONS.row(7)
def a_server_votes_twice_a_term() -> Patch:
    """a vote is given to whoever asks, however often in a term"""
    original = Election._vote

    def vote(self: Election, sender: str, request: VoteRequest) -> bool:
        engine = self._state.engine
        if request.term == engine.term and engine.role == "follower" and self._is_up_to_date(request):
            return True
        return original(self, sender, request)

    return patch.object(Election, "_vote", vote)


@MUTATIONS.row(8)
def nobody_asks_before_standing() -> Patch:
    """an election timeout leads to an election, without a pre-vote"""

    def tick(self: Election) -> bool:
        state = self._state
        if state.now < self.deadline or state.engine.is_leader:
            return False
        self.reset()
        state.leader = None
        return state.is_voter

    return patch.object(Election, "tick", tick)


@MUTATIONS.row(8)
def a_heard_leader_is_voted_against() -> Patch:
    """a vote is given while a leader is heard"""
    return patch.object(RaftState, "hears_leader", lambda self: self.engine.is_leader)


@MUTATIONS.row(8, story="raft/test_rows_elections.py::test_row_08_pre_vote_looks_at_the_log")
def a_shorter_log_is_encouraged() -> Patch:
    """a pre-vote is given whatever the log of who asks (its election fails all the same)"""
    return patch.object(Election, "_is_up_to_date", lambda self, request: True)


@MUTATIONS.row(9, story="raft/test_rows_elections.py::test_row_09_campaign_is_disarmed")
def election_stays_armed() -> Patch:
    """the engine's deadline stays due (it ticks only while it leads or stands, so no run comes to that)"""
    original = Engine.campaign

    def campaign(self: Engine) -> None:
        original(self)
        self._SyncObj__raftElectionDeadline = -1.0

    return patch.object(Engine, "campaign", campaign)


@MUTATIONS.row(10, seed=8)
def leader_without_a_majority_leads_on() -> Patch:
    """a leader that is cut off never steps down"""
    return patch.object(Leader, "hears_quorum", lambda self: True)


@MUTATIONS.row(11, seed=5)
def proposals_are_taken_during_a_transfer() -> Patch:
    """a leader that hands over takes proposals all the while"""
    return patch.object(Transfer, "is_under_way", PropertyMock(return_value=False))


@MUTATIONS.row(11, seed=3)
def the_targets_stickiness_is_not_waived() -> Patch:
    """who is to take over is refused, since its leader is heard"""

    def moves_term(self: Election, request: VoteRequest) -> bool:
        return not request.pre and not self._state.hears_leader()

    return patch.object(Election, "moves_term", moves_term)


@MUTATIONS.row(11, story="raft/test_rows_elections.py::test_row_11_transfer_is_given_up")
def transfer_is_never_given_up() -> Patch:
    """a transfer whose target is gone goes on for ever (its target stands or the leader steps down first)"""
    return patch.object(Transfer, "tick", lambda self: None)


@MUTATIONS.row(11, story="raft/test_rows_elections.py::test_row_11_timeout_now_counts_only_from_the_leader")
def anybody_may_ask_to_stand() -> Patch:
    """a TimeoutNow counts whoever sends it (in a run only leaders do, and their term is checked)"""
    original = RaftCore._on_timeout_now

    def on_timeout_now(self: RaftCore, sender: str, request: TimeoutNow) -> None:
        leader = self.state.leader or sender
        original(self, leader, replace(request, term=self.state.engine.term))

    return patch.object(RaftCore, "_on_timeout_now", on_timeout_now)
