"""What the parts of the Raft core share: the log, the engine, the clock's last reading and the outbox.

What lives here: plain state and the two rules about what may leave.  What does not: any decision about it; elections,
replication, reads and snapshots are modules of their own beside this one.

*Persist, then speak*: what promises something (a vote, a vote request, an acknowledgement, an installed snapshot)
leaves after the write that makes it true.  What promises nothing (entries, heartbeats, refusals) leaves at once, unless
the term it speaks in is not on disk yet: a leader that forgot its term after a crash could lead it again with other
entries.
"""

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Protocol

from attrs import define, field

from actors.config import RaftTiming
from actors.raft.configuration import Configuration, ConfigurationLog
from actors.raft.divergence import Divergence
from actors.raft.engine import Engine
from actors.raft.freshness import Freshness
from actors.raft.journal import Journal
from storage.raft_messages import SnapshotSave


class Random(Protocol):
    """The part of random.Random that the core uses; injected, so that a seed replays a run."""

    def uniform(self, a: float, b: float) -> float:
        """A number between a and b."""
        ...


class Outbox:
    """Messages on their way out, held back until the disk makes them true; order is kept within each of the two."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._plain: list[tuple[str, object]] = []
        self._promises: deque[tuple[int, str, object]] = deque()
        self.is_mute = False
        """The disk refuses writes: what would have to wait for one is dropped, as if it were lost on the way."""

    def send(self, peer: str, message: object) -> None:
        """Let a message that promises nothing leave (as soon as its term is on disk)."""
        if self._journal.hard_state_is_durable:
            self._plain.append((peer, message))
        else:
            self.promise(peer, message)

    def promise(self, peer: str, message: object) -> None:
        """Let a message leave once everything that is true now is on disk."""
        if not self.is_mute:
            self._promises.append((self._journal.next_promise, peer, message))

    def take(self) -> list[tuple[str, object]]:
        """What may leave now, as (peer, message)."""
        released, self._plain = self._plain, []
        written = self._journal.written_sequence
        while self._promises and self._promises[0][0] <= written:
            _, peer, message = self._promises.popleft()
            released.append((peer, message))
        return released


@define
class RaftState:
    """One server's Raft state; ``now`` is the time of the event in hand, in seconds of a monotonic clock."""

    self_id: str
    timing: RaftTiming
    rng: Random
    journal: Journal
    engine: Engine
    outbox: Outbox
    configurations: ConfigurationLog
    now: float
    snapshot: SnapshotSave | None = None
    """The last one, without its chunks: those are on disk and nowhere else."""
    leader: str | None = None
    leader_heard_at: float = -inf
    leader_gone_until: float = -inf
    """Until then the leader's process is taken for dead, because its port refused a connection."""
    verified_index: int = field(default=0)
    """As follower: up to here our log is known to equal the log of this term's leader; 0 in a new term."""
    divergence: Divergence = field(factory=Divergence)
    freshness: Freshness = field(factory=Freshness)

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self.configurations.latest

    @property
    def is_fresh(self) -> bool:
        """Whether the log and everything before it are empty."""
        return self.snapshot is None and self.journal.last_index == self.journal.anchor_index

    @property
    def is_voter(self) -> bool:
        """Whether this server's own vote counts, as far as it knows."""
        return self.self_id in self.configuration.voters

    @property
    def peers(self) -> list[str]:
        """Every other server of the configuration, in order."""
        return [s.id for s in self.configuration.servers if s.id != self.self_id]

    def hears_leader(self) -> bool:
        """Whether a leader was heard within the smallest election timeout: then no vote is given (row 8)."""
        if self.engine.is_leader:
            return True
        if self.leader is None or self.leader_is_gone:
            return False
        return self.now - self.leader_heard_at < self.timing.election_min_s

    @property
    def leader_is_gone(self) -> bool:
        """Whether there is fresh evidence that the leader's process is dead."""
        return self.now < self.leader_gone_until

    def follow(self, leader: str) -> None:
        """A frame of this term's leader arrived."""
        if self.leader != leader or self.engine.role != "follower":
            self.engine.follow(leader)
            self.leader = leader
        self.leader_heard_at = self.now
        self.leader_gone_until = -inf

    def reconfigured(self) -> None:
        """The configuration in force changed: tell the engine whom to replicate to and whose word counts."""
        voters = self.configuration.voters
        peers = self.peers
        self.engine.reconfigure((p for p in peers if p in voters), (p for p in peers if p not in voters))

    def note_appended(self, first: int) -> bool:
        """Entries from ``first`` on were appended; returns whether they changed the configuration."""
        if not self.configurations.append(self.journal.entries(first, self.journal.last_index)):
            return False
        self.reconfigured()
        return True

    def is_quorum(self, ids: Iterable[str]) -> bool:
        """Whether these servers, and this one with them, are a majority of the voters."""
        return self.configuration.is_quorum({self.self_id, *ids})
