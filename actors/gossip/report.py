"""What can be asked of gossip: the members, how one of them came to its status, and how gossip itself is doing.

What lives here: read-only views for the rest of the server. What does not: how they look on a screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.gossip.member import Status
from actors.gossip.messages import TrailEntry

if TYPE_CHECKING:
    from actors.gossip.coordinates import Coordinate
    from actors.gossip.effects import LeaveDone
    from actors.gossip.herald import Herald
    from actors.gossip.member import Member
    from actors.gossip.muster import Mustering
    from actors.gossip.own import Own
    from actors.gossip.queries import Asked
    from actors.gossip.seeker import Seeker
    from actors.gossip.shared import Shared


class Report:
    """One server's answers about its membership."""

    def __init__(self, shared: Shared, own: Own, seeker: Seeker, mustering: Mustering, herald: Herald) -> None:
        self._shared = shared
        self._roster = shared.roster
        self._own = own
        self._seeker = seeker
        self._mustering = mustering
        self._herald = herald

    def members(self, now: float) -> list[Member]:
        """All members by name."""
        views = [self._roster.view(claim, now) for claim in self._roster.shown()]
        return sorted(views, key=lambda member: (member.name, member.id))

    def pruned(self, now: float) -> list[Member]:
        """Those that an operator had forgotten not long ago, as members that have left."""
        return [self._roster.view(claim, now) for claim in self._roster.pruned()]

    def named(self, now: float, name: str) -> list[Member]:
        """The members of that name or id, live ones first."""
        return [self._roster.view(claim, now) for claim in self._roster.named(name)]

    def name_of(self, member_id: str) -> str:
        """The name for people; the id of an unknown member."""
        return self._roster.name_of(member_id)

    def why(self, now: float, name: str) -> dict[str, list[TrailEntry]]:
        """Id to trail, for the members of that name or id."""
        return {claim.id: self._trail(now, claim.id) for claim in self._roster.named(name)}

    def rtt(self, start: str, to: str) -> dict[str, Any]:
        """The estimated round trip between two members, by name or id; `to`: "" for this server."""
        ends = []
        for name in (start, to or self._roster.own_id):
            found = self._roster.named(name)
            if not found:
                return {"ok": False, "reason": f"no member is called {name!r}; 'members' lists them"}
            ends.append(found[0])
        if ends[0].id == ends[1].id:
            return {"ok": False, "reason": f"{ends[0].name} is {ends[0].name}: name two different members"}
        places = [self._place(end.id) for end in ends]
        if places[0] is None or places[1] is None:
            missing = ends[places.index(None)].name
            own = self._roster.own.name
            why = f"{own} has not measured {missing} yet: it does when a probe of its own is answered"
            return {"ok": False, "reason": f"{why}. Try again in a few seconds"}
        ms = _ms(places[0].distance_s(places[1]))
        return {"ok": True, "from": ends[0].name, "to": ends[1].name, "rtt_ms": ms}

    def rtts(self) -> dict[str, float]:
        """Id to the estimated round trip from this server in ms, for those whose place is known."""
        own = self._shared.coordinates.own
        places = ((claim.id, self._shared.coordinates.of(claim.id)) for claim in self._roster.others())
        return {member_id: _ms(own.distance_s(place)) for member_id, place in places if place is not None}

    def left(self, done: LeaveDone) -> dict[str, Any]:
        """How an announcement of a leave went, JSON-like: names of those who have acknowledged it, and have not."""
        return {
            "ok": True,
            "phase": done.phase,
            "acknowledged": sorted(map(self.name_of, done.acknowledged)),
            "missing": sorted(map(self.name_of, done.missing)),
        }

    def asked(self, asked: Asked) -> dict[str, Any]:
        """A query that was sent, JSON-like."""
        expected = sorted(map(self.name_of, asked.expected))
        return {"ok": True, "id": asked.query.id, "timeout_s": asked.query.timeout_s, "expected": expected}

    def status(self, now: float) -> dict[str, Any]:
        """How gossip is doing, JSON-like."""
        return {
            "cluster_id": self._seeker.cluster_id,
            "join_state": self.join_state(),
            "seeking": self._seeker.report(now),
            "mustering": self._mustering.missing(),
            "turned_away": self._shared.turned_away.report(now),
            "health_score": self._shared.awareness.score,
            "incarnation": self._own.claim.incarnation,
            "lamport": self._own.clock,
            "event_clock": self._herald.events.clock,
            "query_clock": self._herald.queries.clock,
            "members": sum(1 for _ in self._roster.shown()),
            "live": self._roster.live_count,
            "queue": len(self._shared.broadcasts),
            "event_queue": len(self._shared.rumours),
            "event_queue_dropped": self._shared.rumours.dropped,
            "refutations": self._own.refutations,
            "coordinate_resets": self._shared.coordinates.resets,
            "counters": dict(sorted(self._shared.counts.items())),
        }

    def join_state(self) -> str:
        """joining (no cluster yet), alone (nobody else is alive here), joined, leaving or left."""
        if self._own.is_leaving:
            return self._own.claim.status.value
        if not self._seeker.cluster_id:
            return "joining"
        return "joined" if any(claim.status is Status.ALIVE for claim in self._roster.others()) else "alone"

    def _place(self, member_id: str) -> Coordinate | None:
        coordinates = self._shared.coordinates
        return coordinates.own if member_id == self._roster.own_id else coordinates.of(member_id)

    def _trail(self, now: float, member_id: str) -> list[TrailEntry]:
        return [
            TrailEntry(round(now - step.at, 3), step.event, self.name_of(step.by or self._roster.own_id), step.detail)
            for step in self._shared.trails.of(member_id)
        ]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
