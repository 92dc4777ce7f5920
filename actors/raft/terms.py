"""Terms: which frames of a leader, and which answers to one, count (Raft §5.1).

What lives here: the comparison that each of them passes before the part that it is for hears of it.  What does not:
the requests for votes, whose term may not move this server's (election.py), and what stepping down takes (core.py).
"""

from collections.abc import Callable

from actors.raft.election import Election
from actors.raft.state import RaftState


class Terms:
    """This server's term against those of others.  ``step_down`` moves it to a newer one, as a follower."""

    def __init__(self, state: RaftState, election: Election, step_down: Callable[[int], None]) -> None:
        self._state = state
        self._election = election
        self._step_down = step_down

    def hear_leader(self, sender: str, term: int) -> bool:
        """Compare terms with a frame that only a leader sends; returns whether to go on."""
        state = self._state
        if term < state.engine.term:
            return False
        if term > state.engine.term:
            self._step_down(term)
        elif state.engine.is_leader:
            return False
        state.follow(sender)
        self._election.reset()
        return True

    def answer_old(self, sender: str, reply: object) -> None:
        """Tell a leader that it was not heard, since its term is over."""
        # It may lead our very term by the time it hears this, so the answer names no round, sequence or snapshot that
        # it could take for one of its own.  Outbox.send sees to it that our term is on disk first.
        self._state.outbox.send(sender, reply)

    def is_answer_to_leader(self, term: int) -> bool:
        """Compare terms with an answer to a leader's frame; returns whether it counts (docs/design.md, row 2)."""
        engine = self._state.engine
        if term > engine.term:
            self._step_down(term)
        return term == engine.term and engine.is_leader
