"""The stage of the reconciler's cases: a leader ``a``, what gossip says, and a configuration that changes are made in.

Servers have one letter: ``b`` is called ``n-b`` and listens on a port of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from attrs import define, field
from msgspec.structs import replace

from actors.gossip.member import Member
from actors.raft.configuration import ChangeRefusedError, Configuration, Server
from actors.raft.messages import Configure, RaftView, ServerView
from actors.reconciler.plan import Decision, Planner
from actors.reconciler.policy import Policy

NOW = 100.0
LEADER = "a"
COMMIT = 5_000
LATER_S = 30.0
"""Longer than anybody has to be stable, and than a failed voter is waited for."""


def policy(**settings: float) -> Policy:
    """Five voters at most, ten seconds of patience, and no clean-up unless it is asked for."""
    return Policy(**{"voters_max": 5, "stable_s": 10.0, "lost_s": 10.0, "dead_s": inf, **settings})  # type: ignore[arg-type]


def member(server_id: str, status: str = "alive", *, name: str = "", address: str = "", age_s: float = 0.0) -> Member:
    """A member as gossip shows it."""
    return Member(server_id, name or f"n-{server_id}", address or address_of(server_id), status, {}, 1, 1, age_s)


def address_of(server_id: str) -> str:
    """Where a server listens."""
    return f"127.0.0.1:{ord(server_id)}"


def server(server_id: str, *, voter: bool = True, match: int | None = COMMIT, heard: float | None = 0.0) -> ServerView:
    """A server of the configuration, healthy unless said otherwise."""
    return ServerView(server_id, f"n-{server_id}", address_of(server_id), voter, match, heard)


def view(*servers: ServerView, settled: bool = True, index: int = 7) -> RaftView:
    """Raft as its leader ``a`` sees it."""
    return RaftView(LEADER, True, settled, index, COMMIT, list(servers))


@define
class Stage:
    """A cluster that follows the plan: ``voters`` and ``standbys`` by their letters, all alive at first."""

    voters: str
    standbys: str = ""
    policy: Policy = field(factory=policy)
    members: dict[str, Member] = field(init=False)
    silent: set[str] = field(factory=set)
    """Servers that do not answer the leader."""
    now: float = NOW
    index: int = 7
    changes: list[str] = field(factory=list)
    reasons: Mapping[str, str] = field(factory=dict)
    planner: Planner = field(init=False)
    configuration: Configuration = field(init=False)

    def __attrs_post_init__(self) -> None:
        ids = self.voters + self.standbys
        self.members = {id_: member(id_) for id_ in ids}
        self.planner = Planner(self.policy)
        self.configuration = Configuration(
            tuple(Server(i, f"n-{i}", address_of(i), i in self.voters) for i in sorted(ids))
        )

    def lead_anew(self) -> None:
        """The leader is a new one, which knows nothing of what went before."""
        self.planner = Planner(self.policy)

    def wait(self, seconds: float) -> None:
        """Time passes, and whoever has failed has failed for longer."""
        self.now += seconds
        for id_, one in self.members.items():
            if one.status != "alive":
                self.members[id_] = replace(one, status_age_s=one.status_age_s + seconds)

    def become(self, status: str, *ids: str) -> None:
        """These members have another status."""
        for id_ in ids:
            self.members[id_] = member(id_, status)
            (self.silent.discard if status == "alive" else self.silent.add)(id_)

    def plan(self) -> Decision:
        """One pass."""
        decision = self.planner.plan(self.now, self.members.values(), self.view())
        self.reasons = decision.reasons
        return decision

    def view(self) -> RaftView:
        """Raft's side."""
        servers = [
            ServerView(s.id, s.name, s.address, s.voter, COMMIT, inf if s.id in self.silent else 0.0)
            for s in self.configuration.servers
        ]
        return RaftView(LEADER, True, True, self.index, COMMIT, servers)

    def step(self) -> str:
        """One pass, and its change made; returns it as text, "" for none."""
        change = self.plan().change
        if change is None:
            return ""
        try:
            self.make(change)
        except ChangeRefusedError as refused:
            self.planner.refused(change, str(refused))
            return f"refused: {change.kind} {change.id}"
        return self.changes[-1]

    def make(self, change: Configure) -> None:
        """A change is committed."""
        self.configuration = self.configuration.changed(
            change.kind, Server(change.id, change.name, change.address, voter=False)
        )
        self.index += 1
        self.changes.append(f"{change.kind} {change.id}")
        assert self.has_quorum, f"no majority is up after {self.changes}"

    def settle(self) -> list[str]:
        """Passes until nothing changes; returns the changes."""
        begin = len(self.changes)
        while self.step():
            assert len(self.changes) < begin + 50, f"it never ends: {self.changes}"
        return self.changes[begin:]

    @property
    def has_quorum(self) -> bool:
        """Whether a majority of the voters is up."""
        return self.configuration.is_quorum(i for i in self.configuration.voters if i not in self.silent)

    @property
    def voting(self) -> str:
        """Who votes, by letters."""
        return "".join(sorted(self.configuration.voters))

    @property
    def waiting(self) -> str:
        """The standbys, by letters."""
        return "".join(s.id for s in self.configuration.servers if not s.voter)


def change_of(members: list[Member], raft: RaftView, *, using: Policy | None = None) -> str:
    """The one change of a first pass as text, "" for none."""
    change = Planner(using or policy()).plan(NOW, members, raft).change
    return f"{change.kind} {change.id}" if change else ""
