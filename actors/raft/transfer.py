"""Handing leadership over (Raft thesis §3.10).

What lives here: whom a leader hands over to, and until when it tries.  The engine's own transfer refuses while one
entry is in flight, and its target would not be voted for while the old leader is heard (docs/design.md, row 11). So a
leader that hands over takes no proposals, waits until the target has everything, and asks it to stand with a flag that
waives stickiness; it gives up after one election timeout and serves on.
"""

from msgspec import Struct

from actors.raft.leader import Leader
from actors.raft.messages import TimeoutNow
from actors.raft.state import RaftState


class _Attempt(Struct, frozen=True):
    target: str
    deadline: float


class Transfer:
    """At most one attempt at a time."""

    def __init__(self, state: RaftState, leader: Leader) -> None:
        self._state = state
        self._leader = leader
        self._attempt: _Attempt | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether proposals and configuration changes have to wait."""
        return self._attempt is not None

    def begin(self, target: str) -> str:
        """Start handing over to a voter by id ("" picks the one heard last that has most); "" or the reason why not."""
        state = self._state
        if not state.engine.is_leader:
            return "this server is not the leader"
        own = state.configuration.get(state.self_id)
        if own is not None and target == own.id:
            return f"{own.name} leads already"
        successor = self.successor()
        if successor is None:
            return "there is no other voter to hand over to"
        if target and target not in state.configuration.voters:
            return "the target is not another voter"
        self._attempt = _Attempt(target or successor, state.now + state.timing.election_max_s)
        return ""

    def successor(self) -> str | None:
        """The other voter to hand over to, if there is one: heard last, and with most of the log."""
        return max(self._state.configuration.voters - {self._state.self_id}, key=self._fitness, default=None)

    def ask_successor(self) -> None:
        """Ask the fittest other voter to stand at once; whether its log will do the election finds out."""
        successor = self.successor()
        if successor is not None:
            self._state.outbox.send(successor, TimeoutNow(self._state.engine.term))

    def drop(self) -> None:
        """It worked, or leadership was lost some other way."""
        self._attempt = None

    def tick(self) -> None:
        """Give up after an election timeout."""
        if self._attempt is not None and self._state.now >= self._attempt.deadline:
            self._attempt = None

    def flush(self) -> None:
        """Ask the target to stand once it has the whole log."""
        attempt, state = self._attempt, self._state
        if attempt is None or attempt.target not in self._leader.progress:
            return
        if state.engine.match_index(attempt.target) == state.journal.last_index:
            state.outbox.send(attempt.target, TimeoutNow(state.engine.term))

    def _fitness(self, peer: str) -> tuple[bool, int, str]:
        timing = self._state.timing
        is_heard = self._leader.progress[peer].last_ack >= self._state.now - 3 * timing.heartbeat_s
        return is_heard, self._state.engine.match_index(peer), peer
