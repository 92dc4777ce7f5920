"""What should change next in the Raft configuration: at most one thing, with a reason for every server.

What lives here: a pure function of the gossip view, the Raft view, the policy and the time, and the memory of one
leadership.  What does not: asking, telling and timers (reconciler.py), and Raft's own rules for a change
(actors/raft/changes.py), which have the last word.

The rules, in the order in which they get the one change of a pass:

1. *left* or *leaving* servers are removed at once.
2. A server whose address or name changed (same id) is updated in place.
3. An alive member that is not in the configuration becomes a standby.  If a server that is gone still holds its address
   or its name, that one is removed first: they belong to the newcomer.
4. Votes: promotions and demotions (seats.py).
5. Dead servers are removed, long after they failed (cleanup.py).  *failed* alone changes nothing: they are expected
   back.

Nobody is taken out, or loses a vote, unless a majority of the voters is up before and after; the leader never is.

A change that Raft has refused, the 65th server of a configuration that holds 64, say, comes behind all others from then
on, and is tried again when there are none: nobody else has to wait for it.
"""

from collections.abc import Container, Iterable, Mapping

from attrs import define, field
from msgspec import Struct
from msgspec.structs import replace

from actors.gossip.member import Member, Status
from actors.raft.messages import Configure, RaftView, ServerView
from actors.reconciler.cleanup import cleanup
from actors.reconciler.policy import Policy
from actors.reconciler.scene import Memory, Scene
from actors.reconciler.seats import Proposals, seats

_WAITING = "waiting: "
_GONE = frozenset((Status.LEFT, Status.LEAVING))
_MAY_BE_REPLACED = frozenset((Status.LEFT, Status.LEAVING, Status.FAILED, None))


class Decision(Struct, frozen=True):
    """The change to make, if any, and the last word on every server by id.

    look_again: nothing has to happen for the next change to be due but time passing.
    why: the reason of the change, which may have been refused before.
    """

    change: Configure | None
    reasons: Mapping[str, str]
    look_again: bool
    why: str = ""


@define
class Planner:
    """Plans for one leadership: a new leader begins with a new one."""

    policy: Policy
    _memory: Memory = field(factory=Memory)
    _refused: dict[Configure, str] = field(factory=dict)
    """Changes that are due and that Raft has refused, and why; the one refused last stands last."""

    def plan(self, now: float, members: Iterable[Member], view: RaftView) -> Decision:
        """Compare the two views; the change is for a leader to make."""
        scene = Scene(self.policy, now, {member.id: member for member in members}, view, self._memory)
        scene.remember()
        due, reasons = _compared(scene)
        refused = self._refused = self._still_due(due, view.configuration_index)
        new = next((change for change in due if change not in refused), None)
        if new is not None:
            reasons[new.id] = due[new]
        reasons |= {change.id: f"refused: {why}" for change, why in refused.items()}
        look_again = new is not None or any(reason.startswith(_WAITING) for reason in reasons.values())
        change = new or next(iter(refused), None)
        why = "" if change is None else due[change]
        return Decision(change if view.is_settled else None, reasons, look_again, why)

    def refused(self, change: Configure, why: str) -> None:
        """Raft did not make a change."""
        self._refused.pop(change, None)
        self._refused[change] = why

    def why_not_remove(self, server: ServerView, members: Iterable[Member], view: RaftView, now: float) -> str:
        """Why an operator cannot have a server taken out; "" when it can be."""
        scene = Scene(self.policy, now, {member.id: member for member in members}, view, self._memory)
        return scene.why_not_without(server)

    def _still_due(self, due: Container[Configure], base_index: int) -> dict[Configure, str]:
        """The refused changes, as changes of the present configuration."""
        refused = {replace(change, base_index=base_index): why for change, why in self._refused.items()}
        return {change: why for change, why in refused.items() if change in due}


def _compared(scene: Scene) -> tuple[dict[Configure, str], dict[str, str]]:
    """Every change that is due with its reason, the first one first, and a reason for every server by id."""
    due: dict[Configure, str] = {}
    reasons: dict[str, str] = {}
    for rule in (_leaves, _updates, _additions, seats, cleanup):
        for change, server_id, reason in rule(scene):
            if change is not None:
                due.setdefault(change, reason)
            if reasons.get(server_id, "voter") == "voter":
                reasons[server_id] = reason
    return due, reasons


def _leaves(scene: Scene) -> Proposals:
    for server in scene.view.servers:
        status = scene.status(server.id)
        if status in _GONE and not scene.is_local(server):
            why = "removing: it has left" if status == Status.LEFT else "removing: it is leaving"
            yield _removal(scene, server, why)


def _updates(scene: Scene) -> Proposals:
    view = scene.view
    for server in view.servers:
        member = scene.members.get(server.id)
        if member is None or member.status != Status.ALIVE:
            continue
        if (member.address, member.name) != (server.address, server.name):
            change = Configure("update", view.configuration_index, server.id, member.name, member.address)
            yield change, server.id, f"updating: it is {member.name} at {member.address} now"


def _additions(scene: Scene) -> Proposals:
    known = {server.id for server in scene.view.servers}
    for member in sorted(scene.members.values(), key=lambda member: member.id):
        if member.id not in known and member.status == Status.ALIVE:
            yield from _addition(scene, member)


def _addition(scene: Scene, member: Member) -> Proposals:
    addition = Configure("add_standby", scene.view.configuration_index, member.id, member.name, member.address)
    holder = next((s for s in scene.view.servers if s.address == member.address), None)
    namesake = next((s for s in scene.view.servers if s.name == member.name), None)
    for other, what in ((holder, "address"), (namesake, "name")):
        if other is not None and scene.status(other.id) in _MAY_BE_REPLACED and not scene.is_local(other):
            change, server_id, reason = _removal(scene, other, f"removing: its {what} belongs to {member.id[:8]} now")
            yield change, server_id, reason
            if change is not None or other is holder:
                yield None, member.id, f"waiting: {other.name} has to be out first, which had its {what}"
                return
    if holder is not None:
        yield None, member.id, f"refused: {holder.name} is alive at the same address {member.address}"
    else:
        yield addition, member.id, "joined: adding as standby"


def _removal(scene: Scene, server: ServerView, why: str) -> tuple[Configure | None, str, str]:
    refusal = scene.why_not_without(server)
    return None if refusal else scene.change("remove", server), server.id, refusal or why
