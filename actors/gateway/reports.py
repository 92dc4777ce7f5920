"""What the gateway answers about a server and its cluster, put together from what the actors said.

What lives here: pure functions from the answers of gossip, Raft and the runtime to the JSON of `status`, `members`,
`raft peers` and `health`.  Their keys are a contract with scripts: keys are added, not renamed.  What does not: asking
(admin.py) and how it looks to people (actors/views.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from actors.gateway.latency import BOUNDS_S
from quorate.version import __version__

if TYPE_CHECKING:
    from actors.gateway.control import Control
    from actors.gateway.core import GatewayCore
    from actors.gossip.member import Member
    from actors.gossip.messages import MembersView
    from actors.identity import Identity
    from storage.kv_protocol import Change, Found

LOOP_LAG_MAX_S: Final = 1.0
"""An event loop that runs later than this cannot keep a lead or vouch for its members."""

APPLY_LAG_MAX: Final = 1_000
"""Entries that a ready server may be behind what it knows to be committed."""

Json = dict[str, Any]
Raft = Mapping[str, Any]


def status_report(control: Control, raft: Raft, view: MembersView, gossip: Mapping[str, Any]) -> Json:
    """The answer to `status`: who this server is, its cluster as it sees it, and whom it is looking for."""
    identity = control.identity
    counts = Counter(str(member.status) for member in view.members)
    return {
        "cluster_id": identity.cluster_id,
        "node": identity.name,
        "id": identity.id,
        "address": identity.address,
        **{key: value for key, value in raft.items() if key != "peers"},
        "members": dict(sorted(counts.items())),
        "join_state": gossip["join_state"],
        "seeking": gossip["seeking"],
        "mustering": gossip["mustering"],
        "turned_away": gossip["turned_away"],
        "http": control.config.http_address,
        "starting": control.is_starting,
        "monitor_port": control.config.monitor_port or None,
        "data_dir": str(control.config.data_dir.absolute()),
        "uptime_s": round(control.uptime_s(), 3),
        "loop_lag_s": round(control.system.loop_lag_s(), 4),
        "boot": identity.boot,
        "version": __version__,
    }


def member_rows(view: MembersView, raft: Raft | None, rtts: Mapping[str, float]) -> list[Json]:
    """The answer to `members`.

    `role` is the server's in Raft, "none" outside its configuration, null if unknown; `status_age_s` is for how
    long it has not been alive, null if it is; `rtt_ms` is estimated from this server, null if it has not been measured.
    """
    roles = {peer["id"]: peer["role"] for peer in raft["peers"]} if raft is not None else {}
    rows = []
    for member in sorted(view.members, key=lambda member: (member.name, member.id)):
        role = None if raft is None else roles.get(member.id, "none")
        rows.append(_member_row(member, role, rtts.get(member.id), is_local=member.id == view.local))
    return rows


def peer_rows(raft: Raft, reasons: Mapping[str, str], members: Sequence[Member]) -> list[Json]:
    """The answer to `raft peers`: the configuration with what each server has, and the reconciler's last decision.

    `status` is gossip's word on each, null if it has none.  Behind the configuration come the members that are not in
    it, with the reason why; their role is "none".
    """
    inside = {peer["id"] for peer in raft["peers"]}
    statuses = {member.id: str(member.status) for member in members}
    outside = [member for member in members if member.id in reasons and member.id not in inside]
    rows = [*raft["peers"], *map(_outsider_row, outside)]
    return [{**row, "status": statuses.get(row["id"]), "reason": reasons.get(row["id"], "")} for row in rows]


def why_report(view: MembersView, rows: Sequence[Json]) -> Json | None:
    """The answer to `members --why`: the member and the trail that led to its status; None for an unknown one."""
    by_id = {row["id"]: row for row in rows}
    for member_id, trail in view.why.items():
        if member_id in by_id:
            steps = [{"age_s": s.age_s, "event": s.event, "by": s.by, "detail": s.detail} for s in trail]
            return {"member": by_id[member_id], "why": steps}
    return None


def force_leave_report(member: Mapping[str, Any], raft: Raft | None) -> Json:
    """The answer to `force_leave`: the member, and whether it keeps its vote for want of a leader to take it away."""
    peers = raft["peers"] if raft is not None and not raft["quorum"] else ()
    return {**member, "keeps_vote": any(peer["id"] == member["id"] and peer["voter"] for peer in peers)}


def health_report(control: Control, raft: Raft | None, view: MembersView | None) -> Json:
    """The answer to `health`: every check with its finding.

    healthy: this server works, and its cluster has a leader and a quorum.  ready: and it has what it needs to serve:
    it is a member, in the Raft configuration, and close to what is committed.
    """
    healthy = [_actors_check(control.system.actors()), _loop_check(control.system.loop_lag_s()), *_raft_checks(raft)]
    ready = [_member_check(view), *_serving_checks(raft, control.identity)]
    return {
        "node": control.identity.name,
        "healthy": all(check["ok"] for check in healthy),
        "ready": all(check["ok"] for check in (*healthy, *ready)),
        "checks": [*healthy, *ready],
    }


def pair_report(found: Found) -> Json:
    """A key as `kv get` and HTTP show it; a value that is no text comes as `value_base64`."""
    return {"key": found.key, **_value_report(found.value), "revision": found.revision}


def update_report(revision: int, changes: Iterable[Change]) -> Json:
    """What one command changed, as `kv watch` and HTTP show it."""
    rows = [
        {"key": one.key, "deleted": True} if one.value is None else {"key": one.key, **_value_report(one.value)}
        for one in changes
    ]
    return {"revision": revision, "changes": rows}


def _value_report(value: bytes) -> Json:
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value_base64": b64encode(value).decode()}


def requests_report(core: GatewayCore) -> Json:
    """The answer to `requests`: what clients asked of this gateway about data, and how long it took (see Histogram)."""
    return {
        "in_progress": core.pending,
        **{name: value for name, value in asdict(core.stats).items() if name != "requests"},
        "bounds_s": BOUNDS_S,
        "writes": core.writes.report(),
        "reads": core.reads.report(),
    }


def version_report() -> Json:
    """The answer to `version`: the release and the parts whose version matters in a bug report."""
    import platform
    from importlib.metadata import version

    import zmq

    return {
        "version": __version__,
        "python": platform.python_version(),
        "pysyncobj": version("pysyncobj"),
        "pyzmq": version("pyzmq"),
        "libzmq": zmq.zmq_version(),
    }


def _member_row(member: Member, role: str | None, rtt_ms: float | None, *, is_local: bool) -> Json:
    return {
        "name": member.name,
        "id": member.id,
        "address": member.address,
        "status": str(member.status),
        "tags": dict(sorted(member.tags.items())),
        "role": role,
        "incarnation": member.incarnation,
        "status_age_s": None if member.status == "alive" else round(member.status_age_s, 3),
        "rtt_ms": rtt_ms,
        "local": is_local,
    }


def _outsider_row(member: Member) -> Json:
    unknown = dict.fromkeys(("match_index", "lag", "heard_s_ago", "snapshot"))
    return {
        "name": member.name,
        "id": member.id,
        "address": member.address,
        "role": "none",
        "voter": False,
        **unknown,
    }


def _check(name: str, ok: bool, detail: str) -> Json:
    return {"name": name, "ok": ok, "detail": detail}


def _actors_check(actors: Sequence[Raft]) -> Json:
    down = [f"{row['name']} is {row['state']}" for row in actors if row["state"] != "running"]
    return _check("actors", not down, ", ".join(down) or f"all {len(actors)} run")


def _loop_check(lag_s: float) -> Json:
    return _check("loop", lag_s <= LOOP_LAG_MAX_S, f"the event loop is {lag_s * 1000:.0f} ms late")


def _raft_checks(raft: Raft | None) -> list[Json]:
    if raft is None:
        return [_check("raft", ok=False, detail="the raft actor does not answer")]
    leader = str(raft["leader"] or "")
    return [
        _check("leader", bool(leader), f"{leader} leads in term {raft['term']}" if leader else "no leader is known"),
        _quorum_check(raft),
        _check("disk", not raft["storage_error"], str(raft["storage_error"] or "raft.db takes writes")),
        _check("history", not raft["divergence"], str(raft["divergence"] or "no leader contradicts what is committed")),
    ]


def _quorum_check(raft: Raft) -> Json:
    if not raft["voters"]:
        return _check("quorum", ok=False, detail="this server is in no Raft configuration, so it knows no voters")
    quorum = bool(raft["quorum"])
    return _check("quorum", quorum, f"{'a' if quorum else 'no'} majority of the voters answers")


def _member_check(view: MembersView | None) -> Json:
    if view is None:
        return _check("member", ok=False, detail="the gossip actor does not answer")
    status = next((str(member.status) for member in view.members if member.id == view.local), "not a member")
    return _check("member", status == "alive", f"this server is {status}")


def _serving_checks(raft: Raft | None, identity: Identity) -> list[Json]:
    if raft is None:
        return []
    role = str(raft["role"])
    if all(peer["id"] != identity.id for peer in raft["peers"]):
        outside = "the Raft configuration" if identity.cluster_id else "any: it has not joined a cluster yet"
        return [
            _check("configuration", ok=False, detail=f"this server is not in {outside}"),
            _check("applied", ok=False, detail="this server does not know what is committed"),
        ]
    behind = max(0, raft["commit_index"] - raft["applied_index"])
    return [
        _check("configuration", ok=True, detail=f"this server's role in Raft is {role}"),
        _check(
            "applied",
            behind <= APPLY_LAG_MAX,
            f"{behind} committed {'entry is' if behind == 1 else 'entries are'} not applied yet",
        ),
    ]
