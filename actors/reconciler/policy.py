"""What an operator decides about the Raft configuration: how many vote, and how long a server is waited for.

What lives here: one frozen class and how it follows from a server's settings.  What does not: what is done about it
(plan.py and beside it).
"""

from math import inf

from attrs import frozen

from actors.config import NodeConfig

STALE_S = 60.0
"""How long a server may be in Raft and neither known to gossip nor heard from, before it is taken for a leftover."""


@frozen
class Policy:
    """The policy of the server that leads; all servers of a cluster should have the same.

    voters_max, voters_min: at most so many servers vote, and no dead server is removed if fewer would.
    stable_s: how long a standby must have been healthy before it votes.
    lost_s: how long a voter must have failed before a standby takes its vote.
    dead_s: how long a server must have failed before it is removed; infinity for never.
    heard_s: who has not answered the leader for longer is not healthy.
    """

    voters_max: int
    stable_s: float
    voters_min: int = 3
    lost_s: float = 10.0
    dead_s: float = inf
    heard_s: float = 1.0

    @classmethod
    def of(cls, config: NodeConfig) -> "Policy":
        """The policy that the settings say."""
        timing = config.raft_timing
        return cls(
            voters_max=config.max_voters,
            stable_s=timing.stable_s,
            voters_min=config.min_voters,
            lost_s=timing.lost_s,
            dead_s=config.dead_server_timeout or inf,
            heard_s=timing.election_max_s,
        )

    @property
    def stale_s(self) -> float:
        """How long a leftover is kept; infinity when dead servers are."""
        return inf if self.dead_s == inf else min(STALE_S, self.dead_s)
