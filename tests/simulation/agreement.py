"""Whether the servers of a healed cluster are at one."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulation.server import SimServer

Servers = Mapping[str, SimServer]


def leader_of(servers: Servers) -> SimServer:
    """The leader of the newest term; raises ValueError when nobody leads."""
    leaders = [server for server in servers.values() if server.leads]
    return max(leaders, key=lambda server: server.core.state.engine.term)


def members_of(servers: Servers, leader: SimServer) -> list[SimServer]:
    """The servers of the leader's configuration."""
    return [servers[server.id] for server in leader.core.state.configuration.servers]


def why_not_agreed(servers: Servers) -> str:
    """Why the cluster is not at one, or ""."""
    if not any(server.leads for server in servers.values()):
        return "nobody leads"
    leader = leader_of(servers)
    engine, journal = leader.core.state.engine, leader.core.state.journal
    if engine.commit != journal.last_index:
        return f"{leader.id} has committed {engine.commit} of {journal.last_index}"
    members = members_of(servers, leader)
    for server in members:
        why = _why_behind(server, leader)
        if why:
            return why
    for server in servers.values():
        # Whoever was removed in the middle of a read never gets the entries it waits for.
        waiting = [read for read in server.reads.values() if read.index is None or server in members]
        if waiting:
            return f"{server.id} has not answered {waiting}"
    return ""


def _why_behind(server: SimServer, leader: SimServer) -> str:
    state, engine = server.core.state, leader.core.state.engine
    if server.core.applied_index != engine.commit:
        return f"{server.id} has applied {server.core.applied_index} of {engine.commit}"
    if state.leader != leader.id or state.engine.term != engine.term:
        return f"{server.id} follows {state.leader} in term {state.engine.term}"
    if server.values != leader.values:
        return f"{server.id} and {leader.id} differ"
    if state.configuration != leader.core.state.configuration:
        return f"{server.id} has another configuration"
    return ""
