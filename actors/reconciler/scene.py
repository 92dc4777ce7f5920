"""What a pass looks at: gossip's view and Raft's side by side, and what follows from the two about one server.

What lives here: who is up, healthy, failed or a leftover, and whether the cluster could do without somebody.  What does
not: what is done about it (plan.py, seats.py, cleanup.py).

Healthy is what Consul's autopilot means by it: alive in gossip, heard from by the leader (which a server of another
term is not), and with all but the last ``LAG_ENTRIES_MAX`` entries of the log.
"""

from collections.abc import Mapping

from attrs import define, field, frozen

from actors.gossip.member import Member, Status
from actors.raft.messages import Configure, RaftView, ServerView
from actors.reconciler.policy import Policy

LAG_ENTRIES_MAX = 250
FRESH_LEADER_FACTOR = 1.1
"""Who has led for less than this times the stabilization time cannot ask anybody to have been stable (autopilot's)."""
STABILITY_WAIVED_BELOW_VOTERS = 3

_UP = frozenset((Status.ALIVE, Status.LEAVING))
_THERE = frozenset((Status.ALIVE, Status.SUSPECT))


@define
class Memory:
    """Since when a leader has seen what, in seconds of its clock; it begins anew with each leadership."""

    began: float | None = None
    healthy: dict[str, float] = field(factory=dict)
    unknown: dict[str, float] = field(factory=dict)
    """Servers of the configuration that gossip does not know."""


@frozen
class Scene:
    """One pass."""

    policy: Policy
    now: float
    members: Mapping[str, Member]
    view: RaftView
    memory: Memory

    def remember(self) -> None:
        """Note what is so now."""
        memory, now, servers = self.memory, self.now, self.view.servers
        if memory.began is None:
            memory.began = now
        memory.healthy = {s.id: memory.healthy.get(s.id, now) for s in servers if not self.ailment(s)}
        memory.unknown = {s.id: memory.unknown.get(s.id, now) for s in servers if s.id not in self.members}

    # --- one server -----------------------------------------------------------------------------------------------

    def status(self, server_id: str) -> str | None:
        """Its status in gossip; None for one that gossip does not know."""
        member = self.members.get(server_id)
        return member.status if member else None

    def is_local(self, server: ServerView) -> bool:
        """Whether it is this server, the leader."""
        return server.id == self.view.local

    def is_there(self, server: ServerView) -> bool:
        """Whether gossip has it as alive, be it suspected."""
        return self.status(server.id) in _THERE

    def ailment(self, server: ServerView) -> str:
        """Why a server is not healthy; "" when it is."""
        if self.is_local(server):
            return ""
        if not self.is_there(server):
            return "not alive"
        if server.match_index is None or not self._is_heard(server):
            return "not heard from"
        # Nothing acknowledged yet is match 0, which a young cluster's commit index would still be near to.
        behind = self.view.commit_index - server.match_index
        if server.match_index == 0 or behind > LAG_ENTRIES_MAX:
            return f"catching up, {behind} entries behind"
        return ""

    def is_up(self, server: ServerView) -> bool:
        """Whether its vote can be counted on: a suspect may be dead; who is leaving is there until it is out."""
        return self.is_local(server) or (self.status(server.id) in _UP and self._is_heard(server))

    def failed_s(self, server: ServerView) -> float | None:
        """For how long it has failed; None when it has not."""
        member = self.members.get(server.id)
        return member.status_age_s if member is not None and member.status == Status.FAILED else None

    def is_stale(self, server: ServerView) -> bool:
        """Whether it is a leftover: neither gossip nor Raft has heard of it for long."""
        since = self.memory.unknown.get(server.id)
        patience_s = self.policy.stale_s
        if since is None or self.is_local(server) or self.now - since < patience_s:
            return False
        return server.heard_s_ago is None or server.heard_s_ago >= patience_s

    def is_lost(self, server: ServerView) -> bool:
        """Whether a standby should take its vote."""
        failed_s = self.failed_s(server)
        return self.is_stale(server) or (failed_s is not None and failed_s >= self.policy.lost_s)

    def why_not_vote(self, server: ServerView) -> str:
        """Why a standby cannot be given a vote yet; "" when it can."""
        if not self.is_there(server):
            return "standby: not alive"
        ailment = self.ailment(server) or ("suspected" if self.status(server.id) == Status.SUSPECT else "")
        if ailment:
            return f"waiting: {ailment}"
        stable_s = self.now - self.memory.healthy.get(server.id, self.now)
        if stable_s < self._stable_s():
            return f"waiting: stable for {stable_s:.1f} of {self.policy.stable_s:g} s"
        return ""

    # --- the cluster ----------------------------------------------------------------------------------------------

    @property
    def voters(self) -> list[ServerView]:
        """The servers that vote."""
        return [server for server in self.view.servers if server.voter]

    def why_not_without(self, server: ServerView) -> str:
        """Why the cluster cannot do without this server or its vote; "" when it can.

        A majority has to be up as it is, or nothing should be changed, and of those that stay (etcd's strict check).
        """
        if self.is_local(server):
            return "this server leads: transfer leadership first"
        if not server.voter:
            return ""
        voters = self.voters
        rest = [voter for voter in voters if voter.id != server.id]
        up, up_rest = sum(map(self.is_up, voters)), sum(map(self.is_up, rest))
        if up * 2 <= len(voters):
            return f"refused: only {up} of the {len(voters)} voters are up"
        if up_rest * 2 <= len(rest):
            return f"refused: only {up_rest} of the {len(rest)} voters left would be up"
        return ""

    def why_not_with(self, standby: ServerView) -> str:
        """Why the cluster should not wait for this server's vote, too; "" when it can."""
        votes = len(self.voters) + 1
        up = sum(map(self.is_up, self.voters)) + self.is_up(standby)
        return "" if up * 2 > votes else f"refused: only {up} of the {votes} voters would be up"

    def change(self, kind: str, server: ServerView) -> Configure:
        """A change of a server of the configuration."""
        return Configure(kind, self.view.configuration_index, server.id, server.name, server.address)

    def _is_heard(self, server: ServerView) -> bool:
        return server.heard_s_ago is not None and server.heard_s_ago <= self.policy.heard_s

    def _stable_s(self) -> float:
        began = self.now if self.memory.began is None else self.memory.began
        is_fresh = self.now - began < FRESH_LEADER_FACTOR * self.policy.stable_s
        return 0.0 if is_fresh or len(self.voters) < STABILITY_WAIVED_BELOW_VOTERS else self.policy.stable_s
