"""Whether the servers of a healed cluster are at one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tests.simulation.judge import Witnessed


class Member(Witnessed, Protocol):
    """What is asked of a server of a healed cluster."""

    @property
    def is_running(self) -> bool:
        """Whether there is anything to ask."""

    @property
    def believed_leader(self) -> str | None:
        """Whom it follows."""

    def state(self) -> bytes:
        """Its whole replicated state."""


Servers = Mapping[str, Member]


def leader_of(servers: Servers) -> Member:
    """The leader of the newest term; raises ValueError when nobody leads."""
    return max((server for server in servers.values() if server.leads), key=lambda server: server.term)


def members_of(servers: Servers, leader: Member) -> list[Member]:
    """The servers of the leader's configuration."""
    return [servers[server.id] for server in leader.configuration.servers]


def why_not_agreed(servers: Servers) -> str:
    """Why the cluster is not at one, or ""."""
    if not any(server.leads for server in servers.values()):
        return "nobody leads"
    leader = leader_of(servers)
    last = leader.log[-1][1]
    if leader.commit != last:
        return f"{leader.id} has committed {leader.commit} of {last}"
    return next((why for member in members_of(servers, leader) if (why := _why_behind(member, leader))), "")


def why_not_the_same(servers: Servers) -> str:
    """Which members of a cluster that is at one hold another state than their leader, or ""."""
    leader = leader_of(servers)
    expected = leader.state()
    return ", ".join(member.id for member in members_of(servers, leader) if member.state() != expected)


def _why_behind(server: Member, leader: Member) -> str:
    if not server.is_running:
        return f"{server.id} does not run"
    if server.applied != leader.commit:
        return f"{server.id} has applied {server.applied} of {leader.commit}"
    if server.believed_leader != leader.id or server.term != leader.term:
        return f"{server.id} follows {server.believed_leader} in term {server.term}"
    if server.configuration != leader.configuration:
        return f"{server.id} has another configuration"
    return ""
