"""The conduct of a server at a single step: what the guard promises of each message, vote and tick.

What lives here: rules that a step shows by itself (docs/design.md, rows 2 to 5, 7, 8, 10, 11 and 16), long before
anything comes of a breach: a false acknowledgement does harm once in thousands of runs, and is seen at once.  What does
not: what must be true of all servers together (judge.py).

It keeps books of its own about what was delivered, and looks at the core before and after.
"""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING, Any

from attrs import define, field

from actors.raft.messages import (
    Append,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    SnapshotChunk,
    SnapshotReply,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from tests.simulation.invariants import Invariant, violated

if TYPE_CHECKING:
    from actors.raft.core import RaftCore

SLACK_S = 1e-6
_FROM_LEADER = (Append, Heartbeat, SnapshotChunk)
_TO_LEADER = (AppendReply, HeartbeatReply, SnapshotReply)


@define
class _Books:
    """What one server's core was told since it began."""

    votes: dict[int, set[str]] = field(factory=lambda: defaultdict(set))
    """By term: who granted a vote in it, delivered."""
    pre_votes: dict[int, set[str]] = field(factory=lambda: defaultdict(set))
    asked_to_stand: int = -1
    """The term of the last TimeoutNow."""
    stood_in: int = 0
    leader_heard_at: float = -inf
    leader_heard_in: int = 0
    """The term of that leader."""
    evidence_at: float = -inf
    answered_at: dict[str, tuple[float, object]] = field(factory=dict)
    """By peer: when it last answered in the term of this leader, or became a peer, as one Progress counts it."""
    resent_at: dict[str, tuple[int, object]] = field(factory=dict)
    """By peer: up to which append everything was sent again, of those that one Progress counts."""
    led: int = 0
    won_at: float = 0.0
    compared: tuple[int, int] = (0, 0)
    """The term of a leader, and up to where the log is known to be that leader's."""
    hands_over: tuple[int, float] = (0, 0.0)
    """The term of a leader that hands over, and until when it does."""


@define
class _Before:
    """The core before a step."""

    term: int
    leads: bool
    peer: tuple[Any, ...]
    last_index: int
    commit: int
    heard_at: float
    covered: int | None
    """The term of the entry that a snapshot ends with."""
    arrived: dict[str, int] | None
    """How far a leader's snapshot has come."""
    sent: int
    held: int


class Conduct:
    """Watches one core from its beginning to its end."""

    def __init__(self, core: RaftCore) -> None:
        self._core = core
        self._id = core.state.self_id
        self._timing = core.state.timing
        self._books = _Books(stood_in=core.state.engine.term, led=core.state.engine.term)

    def receive(self, now: float, source: str, message: object) -> None:
        """Hand a message to the core, and look at what it makes of it."""
        before = self._look(source, message.index if isinstance(message, SnapshotChunk) else 0)
        if isinstance(message, VoteReply) and message.granted:
            votes = self._books.pre_votes if message.pre else self._books.votes
            votes[message.request_term].add(source)
        elif isinstance(message, TimeoutNow):
            self._books.asked_to_stand = message.term
        self._core.receive(now, source, message)
        self._check_office(now)
        self._check_commit(message, before)
        if isinstance(message, _TO_LEADER):
            self._check_answer(now, source, message, before)
        elif isinstance(message, _FROM_LEADER):
            self._check_frame(now, source, message, before)
        elif isinstance(message, VoteRequest):
            self._check_vote(now, source, message, before)
        elif isinstance(message, TimeoutNow):
            self._check_wish(before)

    def tick(self, now: float) -> None:
        """Have the core's timers act; a leader that no majority answers is none any more (row 10)."""
        self._core.tick(now)
        state, books = self._core.state, self._books
        self._check_office(now)
        if state.engine.is_leader and self._core.is_halted:
            self._breach(Invariant.PERSIST_THEN_SPEAK, f"leads term {state.engine.term}, and its disk takes no writes")
        in_term, until = books.hands_over
        if in_term == state.engine.term and now > until + SLACK_S and self._core.handover.is_under_way:
            self._breach(Invariant.TRANSFER, "hands over for more than an election timeout")
        since = now - self._timing.election_max_s - SLACK_S
        if state.engine.is_leader and books.won_at < since:
            for peer, counter in self._core.leader.progress.items():
                if peer not in books.answered_at or books.answered_at[peer][1] is not counter:
                    books.answered_at[peer] = now, counter
            heard = [peer for peer, (at, _) in books.answered_at.items() if at >= since]
            if not state.is_quorum(heard):
                self._breach(Invariant.CHECK_QUORUM, f"leads term {state.engine.term}, and only {heard} answer")

    def peer_gone(self, now: float, peer: str) -> None:
        """There is evidence against a peer."""
        self._core.peer_gone(now, peer)
        self._books.evidence_at = now

    def transfer(self, now: float, target: str) -> str:
        """Begin to hand leadership over."""
        refused = self._core.transfer(now, target)
        if not refused:
            self._books.hands_over = self._core.state.engine.term, now + self._timing.election_max_s
        return refused

    def proposed(self, now: float, term: int) -> None:
        """A proposal was taken: not by a leader that hands over to another one (row 11)."""
        in_term, until = self._books.hands_over
        if term == in_term and now < until - SLACK_S:
            self._breach(Invariant.TRANSFER, f"takes a proposal of term {term} while it hands over")

    def sends(self, peer: str, message: object) -> None:
        """A message leaves: nobody is asked to take over who lacks entries, but by who leads no longer (row 11)."""
        engine, journal = self._core.state.engine, self._core.state.journal
        is_wish = isinstance(message, TimeoutNow) and engine.is_leader and message.term == engine.term
        if is_wish and engine.match_index(peer) < journal.last_index:
            self._breach(Invariant.TRANSFER, f"asks {peer} to stand, which lacks entries")

    # --- the rules ------------------------------------------------------------------------------------------------

    def _check_office(self, now: float) -> None:
        """Rows 7 and 8: who stands was encouraged by a majority, or asked to by the leader; who leads has its votes."""
        state, books = self._core.state, self._books
        engine, term = state.engine, state.engine.term
        if engine.voted_for == self._id and books.stood_in != term:
            books.stood_in = term
            if books.asked_to_stand != term - 1 and not state.is_quorum(books.pre_votes[term]):
                self._breach(Invariant.PRE_VOTE, f"stands in term {term}, encouraged by {books.pre_votes[term]} alone")
        if engine.is_leader and books.led != term:
            books.led, books.won_at = term, now
            books.answered_at.clear()
            books.resent_at.clear()
            if not state.is_quorum(books.votes[term]):
                self._breach(Invariant.ELECTION_SAFETY, f"leads term {term} by the votes of {books.votes[term]} alone")

    def _check_answer(self, now: float, source: str, reply: Any, before: _Before) -> None:
        """Rows 2, 3 and 4: an answer counts in its term, moves nothing back, and asks for one re-send a gap."""
        engine, after = self._core.state.engine, self._look(source)
        if reply.term > before.term and (engine.term < reply.term or engine.is_leader) and not self._core.is_halted:
            self._breach(Invariant.TERMS, f"heard of term {reply.term} and stays in {engine.term}")
        if not before.leads or not before.peer:
            return
        if reply.term != before.term:
            if after.peer and after.peer != before.peer:
                self._breach(Invariant.TERMS, f"counts {source}'s answer of term {reply.term} in {before.term}")
            return
        self._books.answered_at[source] = now, self._core.leader.progress.get(source)
        if not isinstance(reply, AppendReply) or not after.peer:
            return
        match, following, sequence = before.peer[:3]
        if reply.sequence > sequence and after.peer != before.peer:
            self._breach(Invariant.TERMS, f"counts an answer of {source} to what it has not sent")
        if reply.success and after.peer[1] < following:
            self._breach(Invariant.REPLICATION, f"sends {source} again what it has acknowledged, from {after.peer[1]}")
        if not reply.success:
            counter = self._core.leader.progress[source]
            resent_at, counted_by = self._books.resent_at.get(source, (0, counter))
            if reply.sequence <= sequence and (counted_by is not counter or resent_at < reply.sequence):
                self._books.resent_at[source] = sequence, counter
            elif after.peer[1] < following:
                self._breach(Invariant.REPLICATION, f"sends {source} a gap a second time, from {after.peer[1]}")
        if after.peer[0] > max(match, reply.match):
            self._breach(Invariant.REPLICATION, f"takes {source} to have {after.peer[0]}, which said {reply.match}")

    def _check_commit(self, message: object, before: _Before) -> None:
        """Row 1: a follower commits what was compared with this term's leader's log, and nothing behind it."""
        engine, books = self._core.state.engine, self._books
        in_term, compared = books.compared
        compared = compared if in_term == engine.term else 0
        if isinstance(message, Append) and self._is_accepted(message, before):
            compared = max(compared, message.prev_index + len(message.entries))
        elif isinstance(message, SnapshotChunk):
            compared = max(compared, engine.commit)
        books.compared = engine.term, compared
        if engine.commit > max(before.commit, compared):
            self._breach(Invariant.LOG_MATCHING, f"commits {engine.commit}, and has compared up to {compared}")

    def _is_accepted(self, append: Append, before: _Before) -> bool:
        replies = (reply for reply in self._said(before) if isinstance(reply, AppendReply))
        return any(reply.success and reply.sequence == append.sequence for reply in replies)

    def _check_frame(self, now: float, source: str, frame: Any, before: _Before) -> None:
        """Rows 2, 5 and 16: only a leader of this term is heard, a mismatch is answered with the end of a term, and a
        snapshot cuts no tail that matches it."""
        state = self._core.state
        if frame.term < before.term:
            self._check_late_frame(source, frame, before)
            return
        # A server whose disk is full drops what would need a write.
        is_heard = isinstance(frame, Heartbeat) or not self._core.is_halted
        if is_heard and state.engine.term < frame.term:
            self._breach(Invariant.TERMS, f"heard of term {frame.term} and stays in {state.engine.term}")
        if is_heard and state.leader == source and frame.term == state.engine.term and not state.engine.is_leader:
            self._books.leader_heard_at, self._books.leader_heard_in = now, frame.term
        journal = state.journal
        if isinstance(frame, Append):
            for reply in self._said(before):
                if isinstance(reply, AppendReply) and not reply.success and reply.sequence == frame.sequence > 0:
                    hint = reply.match
                    is_end = hint == journal.last_index or journal.term_at(hint) != journal.term_at(hint + 1)
                    if not is_end and hint != state.engine.commit:
                        self._breach(Invariant.REPLICATION, f"steps back to {hint}, in the middle of a term")
        elif before.covered is not None and before.covered == frame.snapshot_term:
            lost = before.last_index - journal.last_index
            if lost > 0:
                self._breach(Invariant.REPLICATION, f"cuts {lost} entries from its log that go with the snapshot")

    def _check_late_frame(self, source: str, frame: Any, before: _Before) -> None:
        """Rows 2 and 16: who led an older term changes nothing and counts for nothing here, and is told of ours."""
        state, after = self._core.state, self._look(source)
        if state.leader_heard_at != before.heard_at:
            self._breach(Invariant.TERMS, f"hears {source}, which led term {frame.term}, in term {before.term}")
        if (after.last_index, after.commit, after.arrived) != (before.last_index, before.commit, before.arrived):
            self._breach(Invariant.TERMS, f"takes what {source} sent in term {frame.term}, in term {before.term}")
        told: set[Any] = {getattr(reply, "term", None) for reply in self._said(before)}
        if not self._core.is_halted and told != {before.term}:
            self._breach(Invariant.TERMS, f"tells {source}, which led term {frame.term}, of {told}: not {before.term}")

    def _check_vote(self, now: float, source: str, request: VoteRequest, before: _Before) -> None:
        """Rows 8 and 11: nobody who hears a leader votes for another one, unless that leader wants it."""
        replies = [reply for reply in self._said(before) if isinstance(reply, VoteReply)]
        is_granted = any(reply.granted for reply in replies)
        books, timing, journal = self._books, self._timing, self._core.state.journal
        has_evidence = now < books.evidence_at + timing.election_max_s
        is_told = books.leader_heard_in == before.term
        hears = before.leads or (is_told and now - books.leader_heard_at < timing.election_min_s - SLACK_S)
        # A vote in the leader's own term cannot depose it any more.
        is_newer = request.term > before.term
        if is_granted and is_newer and hears and not has_evidence and not request.transfer:
            self._breach(Invariant.PRE_VOTE, f"votes for {source} in term {request.term} while it hears its leader")
        is_current = (request.last_term, request.last_index) >= (journal.last_term, journal.last_index)
        if is_granted and request.pre and not is_current:
            self._breach(Invariant.PRE_VOTE, f"encourages {source}, whose log is older")
        is_free = is_newer and is_current and not self._core.is_halted
        if request.transfer and not request.pre and is_free and not is_granted:
            self._breach(Invariant.TRANSFER, f"refuses {source}, whom its leader wants to lead")

    def _check_wish(self, before: _Before) -> None:
        """Row 11: who stands because the leader wants it says so."""
        for request in self._said(before):
            if isinstance(request, VoteRequest) and not request.transfer:
                self._breach(Invariant.TRANSFER, f"stands in term {request.term} as if its leader did not want it")

    # --- looking --------------------------------------------------------------------------------------------------

    def _look(self, peer: str, index: int = 0) -> _Before:
        state = self._core.state
        progress = self._core.leader.progress.get(peer) if state.engine.is_leader else None
        seen: tuple[Any, ...] = ()
        if progress is not None:
            match, following = state.engine.match_index(peer), state.engine.next_index(peer)
            seen = match, following, progress.sequence, progress.last_ack, progress.acked_round
        outbox = state.outbox
        engine, journal = state.engine, state.journal
        covered = journal.term_at(index) if index else None
        counts = len(outbox._plain), len(outbox._promises)
        return _Before(
            engine.term,
            engine.is_leader,
            seen,
            journal.last_index,
            engine.commit,
            state.leader_heard_at,
            covered,
            self._core.receiver.progress,
            *counts,
        )

    def _said(self, before: _Before) -> list[object]:
        """What the core has put into its outbox since."""
        outbox = self._core.state.outbox
        said = [message for _, message in outbox._plain[before.sent :]]
        return said + [message for _, _, message in list(outbox._promises)[before.held :]]

    def _breach(self, invariant: Invariant, what: str) -> None:
        violated(invariant, f"{self._id} {what}")
