"""What should change next in the Raft configuration: at most one thing, with a reason for every server.

What lives here: a pure function of the gossip view, the Raft view, the policy and the time (DESIGN §8), and the one
memory it needs: since when each member has been alive without a break.  What does not: asking, telling and timers
(reconciler.py), and Raft's own rules for a change (actors/raft/core.py), which have the last word.

The rules, in the order in which they get the one change of a pass:

1. *left* or *leaving* servers are removed at once.  *failed* ones stay: they are expected back.
2. A server whose address or name changed (same id) is updated in place.
3. An alive member that is not in the configuration becomes a standby.  If a server that is gone still holds its
   address, that one is removed first: a reused address belongs to the newcomer.
4. A standby becomes a voter when it is alive, caught up and stable, up to ``voters_max``.  Below three voters
   stability is waived: a second server is worth more at once than a proven one later.

No removal may leave the voters without a majority of alive ones, and the leader never removes itself.
"""

from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from actors.gossip.member import Member, Status
from actors.raft.messages import Configure, RaftView, ServerView

LAG_ENTRIES_MAX = 250
HEARD_S_MAX = 1.0
STABILITY_WAIVED_BELOW_VOTERS = 3

_WAITING = "waiting: "
_GONE = frozenset((Status.LEFT, Status.LEAVING))
_MAY_BE_REPLACED = frozenset((Status.LEFT, Status.LEAVING, Status.FAILED))


@frozen
class Policy:
    """voters_max: how many servers vote at most.  stable_s: how long a standby must have been alive before it votes."""

    voters_max: int
    stable_s: float


@frozen
class Decision:
    """The change to make, if any, and the last word on every server by id.

    look_again: nothing has to happen for the next change to be due but time passing.
    """

    change: Configure | None
    reasons: Mapping[str, str]
    look_again: bool


@define
class Planner:
    """Plans with a memory of who has been alive since when."""

    policy: Policy
    _alive_since: dict[str, float] = field(factory=dict)

    def plan(self, now: float, members: Iterable[Member], view: RaftView) -> Decision:
        """Compare the two views; the change is for a leader to make."""
        by_id = {member.id: member for member in members}
        self._note_alive(now, by_id.values())
        reasons: dict[str, str] = {}
        change: Configure | None = None
        for rule in (self._removals, self._updates, self._additions, self._promotions):
            for candidate, server_id, reason in rule(now, by_id, view):
                reasons.setdefault(server_id, reason)
                change = change or candidate
        look_again = change is not None or any(reason.startswith(_WAITING) for reason in reasons.values())
        return Decision(change if view.is_settled else None, reasons, look_again)

    def why_not_remove(self, server: ServerView, members: Mapping[str, Member], view: RaftView) -> str:
        """ "" or why taking this server out would endanger the cluster."""
        if server.id == view.local:
            return "this server leads: transfer leadership first"
        voters = [s for s in view.servers if s.voter and s.id != server.id]
        alive = sum(1 for s in voters if s.id == view.local or _status(members, s.id) == Status.ALIVE)
        if alive * 2 <= len(voters):
            return f"refused: only {alive} of the {len(voters)} voters left would be alive"
        return ""

    def _note_alive(self, now: float, members: Iterable[Member]) -> None:
        alive = {member.id for member in members if member.status == Status.ALIVE}
        self._alive_since = {server: self._alive_since.get(server, now) for server in alive}

    def _removals(self, now: float, members: Mapping[str, Member], view: RaftView) -> "_Proposals":
        for server in view.servers:
            status = _status(members, server.id)
            if status in _GONE and server.id != view.local:
                refusal = self.why_not_remove(server, members, view)
                yield (
                    _removal(server, view) if not refusal else None,
                    server.id,
                    refusal or f"removing: it has {status}",
                )
            elif status == Status.FAILED:
                yield None, server.id, "failed: kept, it is expected back"
            elif status is None:
                yield None, server.id, "kept, although gossip does not know it"

    def _updates(self, now: float, members: Mapping[str, Member], view: RaftView) -> "_Proposals":
        for server in view.servers:
            member = members.get(server.id)
            if member is None or member.status != Status.ALIVE:
                continue
            if (member.address, member.name) != (server.address, server.name):
                change = Configure("update", view.configuration_index, server.id, member.name, member.address)
                yield change, server.id, f"updating: it is {member.name} at {member.address} now"

    def _additions(self, now: float, members: Mapping[str, Member], view: RaftView) -> "_Proposals":
        known = {server.id for server in view.servers}
        by_address = {server.address: server for server in view.servers}
        for member in sorted(members.values(), key=lambda m: m.id):
            if member.id in known or member.status != Status.ALIVE:
                continue
            holder = by_address.get(member.address)
            if holder is None:
                change = Configure("add_standby", view.configuration_index, member.id, member.name, member.address)
                yield change, member.id, "joined: adding as standby"
            elif _status(members, holder.id) in _MAY_BE_REPLACED | {None}:
                refusal = self.why_not_remove(holder, members, view)
                change_or_none = None if refusal else _removal(holder, view)
                yield change_or_none, holder.id, refusal or f"removing: its address belongs to {member.name} now"
                yield None, member.id, f"waiting until {holder.name} is out, which had its address"
            else:
                yield None, member.id, f"refused: {holder.name} is alive at the same address {member.address}"

    def _promotions(self, now: float, members: Mapping[str, Member], view: RaftView) -> "_Proposals":
        voters = sum(1 for server in view.servers if server.voter)
        for server in view.servers:
            if server.voter:
                yield None, server.id, "voter"
                continue
            obstacle = self._why_not_promote(now, server, members, view, voters)
            change = Configure("promote", view.configuration_index, server.id, server.name, server.address)
            yield None if obstacle else change, server.id, obstacle or "promoting: alive, caught up and stable"

    def _why_not_promote(
        self, now: float, server: ServerView, members: Mapping[str, Member], view: RaftView, voters: int
    ) -> str:
        if voters >= self.policy.voters_max:
            return f"standby: there are {voters} voters already (--max-voters {self.policy.voters_max})"
        if _status(members, server.id) != Status.ALIVE:
            return "standby: not alive"
        if server.match_index is None or server.heard_s_ago is None or server.heard_s_ago > HEARD_S_MAX:
            return f"{_WAITING}not heard from"
        # Nothing acknowledged yet is match 0, which a young cluster's commit index would still be near to.
        if server.match_index == 0 or view.commit_index - server.match_index > LAG_ENTRIES_MAX:
            return f"{_WAITING}catching up, {view.commit_index - server.match_index} entries behind"
        alive_s = now - self._alive_since.get(server.id, now)
        if voters >= STABILITY_WAIVED_BELOW_VOTERS and alive_s < self.policy.stable_s:
            return f"{_WAITING}stable for {alive_s:.1f} of {self.policy.stable_s:g} s"
        return ""


_Proposals = Iterable[tuple[Configure | None, str, str]]


def _status(members: Mapping[str, Member], server_id: str) -> str | None:
    member = members.get(server_id)
    return member.status if member else None


def _removal(server: ServerView, view: RaftView) -> Configure:
    return Configure("remove", view.configuration_index, server.id, server.name, server.address)
