"""Linearizable reads by ReadIndex (Raft thesis §6.4), on any server.

What lives here: which reads wait for which round of heartbeats, on the leader, and which wait for an answer of the
leader, on a follower.  What does not: reading.  A read comes out with an index; the raft actor answers it from the
state machine once that index is applied.

Rules:
1. A leader reads nothing before an entry of its term is committed: until then it does not know what is.
2. A read gets the commit index of a moment after it arrived, and waits for a round of heartbeats that begins after it
   arrived to be answered by a majority of the current voters.  One round serves every read that waits.  It goes to a
   bare majority first, since every further answer costs a turn and tells nothing; to everybody if that takes too long.
3. A leader that steps down fails its reads; they have changed nothing, so they may be tried again.
4. A follower answers from what it has compared with this term's leader's log.  Of what it had committed before, after a
   restart, it does not know yet that the leader has it too (divergence.py); a read that needs no more fails.
"""

from math import inf

from attrs import define, field

from actors.raft.leader import Leader
from actors.raft.messages import ReadIndex, ReadIndexReply
from actors.raft.state import RaftState

WAITING_MAX = 100_000
ASK_ALL_AFTER_HEARTBEATS = 0.1


@define
class _Waiting:
    """Reads that share a fate: tokens of our own, and (peer, request) of followers that asked."""

    tokens: list[int] = field(factory=list)
    asked: list[tuple[str, int]] = field(factory=list)

    def __bool__(self) -> bool:
        return bool(self.tokens or self.asked)


@define
class _Round:
    number: int
    index: int
    reads: _Waiting
    ask_all_at: float
    """When to stop relying on the bare majority that was asked."""


@define
class _Remote:
    tokens: list[int]
    deadline: float


class Reads:
    """Reads on their way to an index.  ``ready``: (index, tokens); ``failed``: tokens to try again elsewhere."""

    def __init__(self, state: RaftState, leader: Leader) -> None:
        self._state = state
        self._leader = leader
        self._new = _Waiting()
        self._round: _Round | None = None
        self._remote: dict[int, _Remote] = {}
        # A late answer to a request of this server's last run must not count for one of this run (row 19).
        self._last_request = int(state.rng.uniform(0, 2**52))
        self.ready: list[tuple[int, list[int]]] = []
        self.failed: list[int] = []

    def request(self, token: int) -> None:
        """A client of this server wants to read."""
        if len(self._new.tokens) >= WAITING_MAX:
            self.failed.append(token)
        else:
            self._new.tokens.append(token)

    def on_request(self, peer: str, request: ReadIndex) -> None:
        """A follower asks for an index."""
        state = self._state
        is_member = state.configuration.get(peer) is not None
        if state.engine.is_leader and request.term == state.engine.term and is_member:
            if len(self._new.asked) < WAITING_MAX:
                self._new.asked.append((peer, request.request))
                self._leader.bring(peer)
        else:
            self._refuse([(peer, request.request)])

    def on_reply(self, reply: ReadIndexReply) -> None:
        """The leader answered a request of ours."""
        remote = self._remote.pop(reply.request, None)
        if remote is None:
            return
        if reply.index < 0:
            self.failed.extend(remote.tokens)
            return
        state = self._state
        if state.verified_index < state.engine.commit and reply.index <= state.engine.commit:
            self.failed.extend(remote.tokens)
            return
        state.engine.learn_commit(min(reply.index, state.verified_index))
        self.ready.append((reply.index, remote.tokens))

    def flush(self) -> None:
        """Finish a round that a majority has answered, and begin the next for the reads that wait."""
        if self._state.engine.is_leader:
            self._finish_round()
            if self._new and self._round is None and self._leader.is_established:
                reads, self._new = self._new, _Waiting()
                ask_all_at = self._state.now + ASK_ALL_AFTER_HEARTBEATS * self._state.timing.heartbeat_s
                self._round = _Round(self._leader.confirm(), self._state.engine.commit, reads, ask_all_at)
                self._finish_round()
        elif self._new.tokens:
            self._ask_leader()

    def tick(self) -> None:
        """Ask everybody when a bare majority is slow; give up on what the leader left unanswered for too long."""
        if self._round is not None and self._state.now >= self._round.ask_all_at:
            self._round.ask_all_at = inf
            self._leader.heartbeat()
        for request in [r for r, remote in self._remote.items() if remote.deadline <= self._state.now]:
            self.failed.extend(self._remote.pop(request).tokens)

    @property
    def deadline(self) -> float:
        """When ``tick`` has something to do."""
        if self._round is not None:
            return self._round.ask_all_at
        # Requests are in the order of their deadlines; a leader has none.
        return next(iter(self._remote.values())).deadline if self._remote else inf

    def fail_all(self) -> None:
        """The leader is gone, or this server leads no longer."""
        waiting = [self._new] + ([self._round.reads] if self._round else [])
        for reads in waiting:
            self.failed.extend(reads.tokens)
            self._refuse(reads.asked)
        for remote in self._remote.values():
            self.failed.extend(remote.tokens)
        self._new, self._round = _Waiting(), None
        self._remote.clear()

    def _finish_round(self) -> None:
        done = self._round
        if done is None or not self._state.is_quorum(self._leader.acked(done.number)):
            return
        self._round = None
        if done.reads.tokens:
            self.ready.append((done.index, done.reads.tokens))
        for peer, request in done.reads.asked:
            self._state.outbox.send(peer, ReadIndexReply(self._state.engine.term, request, done.index))

    def _ask_leader(self) -> None:
        tokens, self._new.tokens = self._new.tokens, []
        leader = self._state.leader
        if leader is None:
            self.failed.extend(tokens)
            return
        self._last_request += 1
        self._remote[self._last_request] = _Remote(tokens, self._state.now + self._state.timing.election_min_s)
        self._state.outbox.send(leader, ReadIndex(self._state.engine.term, self._last_request))

    def _refuse(self, asked: list[tuple[str, int]]) -> None:
        for peer, request in asked:
            self._state.outbox.send(peer, ReadIndexReply(self._state.engine.term, request, -1))
