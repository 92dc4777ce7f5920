"""Elections: the timer, the pre-vote, who gets a vote and whose vote counts.

What lives here: Raft §5.2 with the pre-vote and stickiness of the thesis (§9.6, §4.2.3) in front of the engine, which
counts the votes of the real election.  What does not: the engine's own timer, which is switched off (docs/design.md,
row 9).

Rules:
1. Only a voter stands, and only after a majority said in a pre-vote that it would vote for it.  A pre-vote changes
   nothing on any server.
2. While a leader is heard nobody votes for another, unless the leader itself asked for the election (a transfer).  A
   refused request does not move the term either: a server that was cut off cannot depose a leader on its return.
3. *Granting* looks at the log and at stickiness, never at the configuration: a voter that has not yet seen the entry
   that added the candidate would deadlock the cluster (thesis §4.1).  *Counting* looks at the candidate's own latest
   configuration, one vote a voter a term.
4. A refused connection is evidence that the leader's *process* is dead.  Who has it does not wait for the election
   timeout, and votes for others at once; who has not goes by the timeout.  So one bad link deposes nobody, and a leader
   that was killed is replaced in a fraction of a timeout.
5. Nobody votes for a server that, as leader, contradicted what is committed here (divergence.py).
6. A server with the log of another cluster never gets here: links drop its frames.
"""

from typing import Literal

from actors.raft.messages import VoteReply, VoteRequest
from actors.raft.state import RaftState


class Election:
    """The election timer and the votes of one candidacy."""

    def __init__(self, state: RaftState) -> None:
        self._state = state
        self._stage: Literal["none", "pre", "real"] = "none"
        self._voters: set[str] = set()
        self._transfer = False
        self._granted = False
        self.campaigns = 0
        """How often this server has stood for election, pre-votes that were lost not counted."""
        self.deadline = state.now
        if not state.is_quorum(()):
            self.reset()

    def reset(self) -> None:
        """Wait a fresh random election timeout, and drop a candidacy that is under way."""
        timing = self._state.timing
        shortest, longest = timing.election_min_s, timing.election_max_s
        if self._state.leader_is_gone:
            # No leader is waited for, only votes: they need a round trip and a write, well within a heartbeat.
            shortest, longest = timing.heartbeat_s, 2 * timing.heartbeat_s
        self.deadline = self._state.now + self._state.rng.uniform(shortest, longest)
        self._stage = "none"
        self._voters.clear()

    def hurry(self) -> None:
        """Stand at the next tick: there is no one to wait for."""
        self.deadline = self._state.now

    def leader_is_gone(self) -> None:
        """Evidence that the leader's process is dead: stand soon, a little apart from others that know it too."""
        state = self._state
        state.leader_gone_until = state.now + state.timing.election_max_s
        self.deadline = min(self.deadline, state.now + state.rng.uniform(0.0, state.timing.heartbeat_s))

    def tick(self) -> bool:
        """Begin a pre-vote when the timer is due; returns whether to campaign at once (no one else to ask)."""
        state = self._state
        if state.now < self.deadline or state.engine.is_leader:
            return False
        self.reset()
        state.leader = None
        if not state.is_voter:
            return False
        self._stage = "pre"
        if state.is_quorum(()):
            return True
        for peer in self._other_voters():
            state.outbox.send(peer, self._request(pre=True))
        return False

    def campaign(self, transfer: bool) -> None:
        """Stand for election in the next term."""
        state = self._state
        self.reset()
        self.campaigns += 1
        state.leader = None
        state.verified_index = 0
        self._stage = "real"
        self._transfer = transfer
        state.engine.campaign()

    def on_engine_request(self, peer: str) -> None:
        """The engine asks a voter for its vote."""
        self._state.outbox.promise(peer, self._request(pre=False))

    def on_engine_grant(self) -> None:
        """The engine grants the vote it was asked for."""
        self._granted = True

    def on_request(self, sender: str, request: VoteRequest) -> None:
        """Answer a VoteRequest; a higher term has been adopted by now if it was to be (``moves_term``)."""
        if sender in self._state.divergence.leaders:
            self._answer(sender, request, granted=False)
        elif request.pre:
            granted = request.term > self._state.engine.term and not self._state.hears_leader()
            self._answer(sender, request, granted and self._is_up_to_date(request))
        else:
            self._answer(sender, request, self._vote(sender, request))

    def moves_term(self, request: VoteRequest) -> bool:
        """Whether a real request's higher term is to be adopted."""
        return not request.pre and (request.transfer or not self._state.hears_leader())

    def on_reply(self, sender: str, reply: VoteReply) -> bool:
        """Count a vote; returns whether a pre-vote has just been won."""
        state = self._state
        if not reply.granted or sender in self._voters or sender not in state.configuration.voters:
            return False
        if reply.pre:
            if self._stage != "pre" or reply.request_term != state.engine.term + 1:
                return False
            self._voters.add(sender)
            return state.is_quorum(self._voters)
        if self._stage != "real" or reply.request_term != state.engine.term:
            return False
        self._voters.add(sender)
        state.engine.receive(sender, {"type": "response_vote", "term": reply.request_term})
        return False

    def _vote(self, sender: str, request: VoteRequest) -> bool:
        state = self._state
        if request.term != state.engine.term or state.engine.role != "follower":
            return False
        if state.engine.voted_for == sender:
            return True
        self._granted = False
        state.engine.receive(
            sender,
            {
                "type": "request_vote",
                "term": request.term,
                "last_log_index": request.last_index,
                "last_log_term": request.last_term,
            },
        )
        if self._granted:
            self.reset()
        return self._granted

    def _answer(self, sender: str, request: VoteRequest, granted: bool) -> None:
        reply = VoteReply(self._state.engine.term, request.term, request.pre, granted)
        self._state.outbox.promise(sender, reply)

    def _request(self, *, pre: bool) -> VoteRequest:
        journal, term = self._state.journal, self._state.engine.term
        return VoteRequest(term + pre, journal.last_index, journal.last_term, pre, self._transfer and not pre)

    def _is_up_to_date(self, request: VoteRequest) -> bool:
        journal = self._state.journal
        return (request.last_term, request.last_index) >= (journal.last_term, journal.last_index)

    def _other_voters(self) -> list[str]:
        return [peer for peer in self._state.peers if peer in self._state.configuration.voters]
