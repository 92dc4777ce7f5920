"""Raft as people see it: the numbers behind ``status`` and ``raft peers``.

What lives here: one reading of the core as JSON-like data; keys are a contract.  What does not: tables and colours
(actors/views.py), and the reconciler's reasons, which the gateway puts in.
"""

from typing import Any

from msgspec.structs import asdict

from actors.raft.applier import Applier
from actors.raft.configuration import Server
from actors.raft.core import RaftCore
from actors.raft.disk import Disk
from actors.raft.messages import RaftView, ServerView


def raft_status(core: RaftCore, applier: Applier, disk: Disk) -> dict[str, Any]:
    """This server's view of Raft."""
    state = core.state
    configuration = state.configuration
    leader = configuration.get(state.leader or "")
    return {
        "role": core.role,
        "term": state.engine.term,
        "leader": leader.name if leader else "",
        "leader_id": state.leader or "",
        "leader_address": leader.address if leader else "",
        "commit_index": state.engine.commit,
        "applied_index": applier.applied,
        "last_index": state.journal.last_index,
        "durable_index": state.journal.durable_index,
        "snapshot_index": state.snapshot.index if state.snapshot else 0,
        "snapshot_arriving": core.receiver.progress,
        "log_entries": len(state.journal) - 1,
        "configuration_index": state.configurations.latest_index,
        "configuration_committed": state.configurations.latest_index <= state.engine.commit,
        "elections": core.election.campaigns,
        "established": core.leader.is_established,
        "voters": [s.name for s in configuration.servers if s.voter],
        "standbys": [s.name for s in configuration.servers if not s.voter],
        "quorum": _has_quorum(core),
        "storage_error": disk.error,
        "divergence": state.divergence.why,
        "peers": [_peer(core, server) for server in configuration.servers],
    }


def _has_quorum(core: RaftCore) -> bool:
    """Whether a majority of the voters answers, by a leader's count, or as one must have that another server hears."""
    state = core.state
    if not state.configuration.voters:
        # Whose leader it hears it cannot say: it may have the address of a voter that is gone.
        return False
    return core.leader.hears_quorum() if state.engine.is_leader else state.hears_leader()


def raft_view(core: RaftCore) -> RaftView:
    """What the reconciler plans with."""
    state = core.state
    return RaftView(
        local=state.self_id,
        is_leader=state.engine.is_leader,
        is_settled=(
            core.leader.is_established
            and core.leader.knows_who_answers
            and state.configurations.latest_index <= state.engine.commit
        ),
        configuration_index=state.configurations.latest_index,
        commit_index=state.engine.commit,
        servers=[
            ServerView(s.id, s.name, s.address, s.voter, _match(core, s.id), _heard_s_ago(core, s.id))
            for s in state.configuration.servers
        ],
    )


def _peer(core: RaftCore, server: Server) -> dict[str, Any]:
    match = _match(core, server.id)
    transfer = core.sender.progress_of(server.id)
    return {
        "name": server.name,
        "id": server.id,
        "address": server.address,
        "role": _role(core, server),
        "voter": server.voter,
        "match_index": match,
        "lag": None if match is None else max(core.state.engine.commit - match, 0),
        "heard_s_ago": _heard_s_ago(core, server.id),
        "snapshot": asdict(transfer) if transfer else None,
    }


def _match(core: RaftCore, server_id: str) -> int | None:
    """What the leader knows; only of itself does another server know it."""
    if server_id == core.state.self_id:
        return core.state.journal.durable_index
    return core.state.engine.match_index(server_id) if core.state.engine.is_leader else None


def _role(core: RaftCore, server: Server) -> str:
    if server.id == core.state.leader:
        return "leader"
    return "follower" if server.voter else "standby"


def _heard_s_ago(core: RaftCore, server_id: str) -> float | None:
    progress = core.leader.progress.get(server_id) if core.state.engine.is_leader else None
    return None if progress is None else round(max(core.state.now - progress.last_ack, 0.0), 3)
