"""Gossip's settings: every number of the protocol, its unit, its formula, and the three profiles.

What lives here: one frozen class and `gossip_config`. What does not: how a setting is used (the file of the part that
uses it says so) and how a user picks a profile (actors/config.py).

The formulas are memberlist's and Lifeguard's (arXiv 1707.00788); where a default differs from memberlist's, the field
says why. Where a formula speaks of n, it means the members that are not known to be gone, this server included.
"""

from collections.abc import Mapping, Sized
from math import ceil, log2, log10

from attrs import evolve, frozen


@frozen(kw_only=True)
class GossipConfig:
    """The settings of one server. All members of a cluster should use the same profile.

    Failure detection:
        probe_interval_s: one member is probed in each interval, times health score + 1. Detecting a silent member
            starts e/(e-1) = 1.58 intervals after its death on average, 2n - 1 at worst (SWIM, section 3).
        probe_timeout_s: how long a direct answer may take, times health score + 1 (Lifeguard scales both; memberlist
            scales the interval alone). What is left of the interval belongs to the indirect probes.
        indirect_probes: k, how many members are asked to probe in our place.
        health_max: the health score is 0 (well) to this: the interval becomes 9 times as long at 8.
        suspicion_mult: shortest suspicion = suspicion_mult * (1 + max(0, log10 n - 1) / 2) * probe_interval_s, and the
            number of confirmations that lead to it is suspicion_mult - 2 (none are awaited when n - 2 members cannot
            give them). memberlist's grows with log10 n, twice as fast above 10 members. In a larger cluster an
            objection takes longer to reach all, but by fractions of a second (docs/gossip.md), and with memberlist's
            formula one silent host in a hundred is not known failed for more than 13 s among 100 members.
        suspicion_max_mult: longest suspicion = suspicion_max_mult * shortest.
        process_gone_grace_s: what a suspected member has left to speak up once two members have seen that its process
            is gone (a refused connection). Long enough for the links of a living process to be bound again, and for
            a refutation to arrive by way of others.
        stall_s: a timer that is this late means that this process stood still, not that others were silent.

    Dissemination:
        gossip_interval_s, gossip_nodes: what there is to tell goes to this many random members in each interval; what
            is new, after a tenth of it (waves.py).
        gossip_to_dead_s: how long after its failure a member is still told, so that it can object.
        retransmit_mult: a change is sent retransmit_mult * ceil(log10(n + 1)) times, and is new for half of them.
        message_bytes: about this much of what is new goes along with one message.
        push_pull_interval_s: full state is compared with a random member's, and exchanged if it differs; 2, 3 ... times
            as rarely above 32, 64 ... A tenth of it lies between two exchanges that digests in answers lead to.

        query_mult: a query waits for answers gossip_interval_s * query_mult * ceil(log10(n + 1)), as Serf's.

    Joining and leaving:
        join_timeout_s: how long one attempt waits for an answer.
        join_retry_min_s, join_retry_max_s: attempts to one address start this far apart and back off to this, for ever.
            Failed members share the load: the distance is multiplied by n / 8 in clusters of more than 8.
        leave_timeout_s: how long a leave waits for acknowledgements.
        left_reap_s, failed_reap_s: when a member that left, or failed, is forgotten.
        app: what the state machine is called (actors/app.py); a server with another one is not let in.
    """

    probe_interval_s: float = 1.0
    probe_timeout_s: float = 0.5
    indirect_probes: int = 3
    health_max: int = 8
    suspicion_mult: int = 4
    suspicion_max_mult: int = 6
    process_gone_grace_s: float = 0.4
    stall_s: float = 0.5

    gossip_interval_s: float = 0.2
    gossip_nodes: int = 3
    gossip_to_dead_s: float = 30.0
    retransmit_mult: int = 4
    message_bytes: int = 1400
    push_pull_interval_s: float = 30.0
    query_mult: int = 16

    join_timeout_s: float = 1.0
    join_retry_min_s: float = 0.2
    join_retry_max_s: float = 10.0
    leave_timeout_s: float = 3.0
    left_reap_s: float = 24 * 3600.0
    failed_reap_s: float = 72 * 3600.0
    app: str = ""

    def suspicion_min_s(self, n: int) -> float:
        """The shortest suspicion that others had no hand in, in a cluster of n."""
        growth = max(0.0, log10(max(1, n)) - 1) / 2
        return self.suspicion_mult * (1 + growth) * self.probe_interval_s

    def suspicion_max_s(self, n: int) -> float:
        """The suspicion that nobody confirms, in a cluster of n."""
        return self.suspicion_max_mult * self.suspicion_min_s(n)

    def confirmations(self, n: int) -> int:
        """How many confirmations shorten a suspicion to the minimum; 0 when a cluster of n cannot give as many."""
        wanted = self.suspicion_mult - 2
        return wanted if n - 2 >= wanted else 0

    def retransmit_limit(self, n: int) -> int:
        """How often one change is sent in a cluster of n."""
        return self.retransmit_mult * ceil(log10(n + 1))

    def is_new(self, sends: int, n: int) -> bool:
        """Whether a change that was sent so often is to be told soon, in a cluster of n."""
        return 2 * sends < self.retransmit_limit(n)

    def has_new(self, levels: Mapping[int, Sized], n: int) -> bool:
        """Whether any of these, by how often they were sent, is to be told soon, in a cluster of n."""
        return any(len(level) and self.is_new(sends, n) for sends, level in levels.items())

    @property
    def gossip_quick_s(self) -> float:
        """How soon after a wave of gossip the next one may follow."""
        return self.gossip_interval_s / 10

    def push_pull_s(self, n: int) -> float:
        """How far apart full exchanges are in a cluster of n: the load of each does not depend on n above 32."""
        return self.push_pull_interval_s * (ceil(log2(n) - 5) + 1 if n > 32 else 1)

    def repair_s(self, n: int) -> float:
        """How far apart exchanges are that a difference leads to, in a cluster of n."""
        return self.push_pull_s(n) / 10

    def query_s(self, n: int) -> float:
        """How long a query waits for answers in a cluster of n, unless its sender says otherwise."""
        return self.gossip_interval_s * self.query_mult * ceil(log10(n + 1))

    def reconnect_factor(self, n: int) -> float:
        """What the distance between attempts to reach a failed member is multiplied by: all members try it."""
        return max(1.0, n / 8)


LAN = GossipConfig()
WAN = evolve(
    LAN,
    probe_interval_s=5.0,
    probe_timeout_s=3.0,
    suspicion_mult=6,
    process_gone_grace_s=2.0,
    stall_s=1.0,
    gossip_interval_s=0.5,
    gossip_nodes=4,
    gossip_to_dead_s=60.0,
    push_pull_interval_s=60.0,
    join_timeout_s=5.0,
    join_retry_min_s=1.0,
    join_retry_max_s=30.0,
    leave_timeout_s=6.0,
)
# Several servers of one machine share its cores, so patience is not cut as far as memberlist's local profile does:
# a process that waited a second for the processor is no dead process.
LOCAL = evolve(
    LAN,
    probe_interval_s=0.5,
    probe_timeout_s=0.2,
    process_gone_grace_s=0.25,
    stall_s=0.25,
    gossip_interval_s=0.05,
    gossip_to_dead_s=15.0,
    push_pull_interval_s=10.0,
    join_timeout_s=0.5,
    join_retry_min_s=0.1,
    join_retry_max_s=2.0,
    left_reap_s=3600.0,
)

_PROFILES: Mapping[str, GossipConfig] = {"lan": LAN, "wan": WAN, "local": LOCAL}


def gossip_config(profile: str) -> GossipConfig:
    """The settings of a profile: lan, wan or local. Raises KeyError for another word."""
    return _PROFILES[profile]
