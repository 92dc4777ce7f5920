"""The answer to `info`: one server in sections, as Serf has them, from what its actors and its process say.

What lives here: putting the sections together, and looking at the process.  What does not: asking the actors (admin.py)
and how it looks to people (actors/views.py).
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.gossip.member import Status
from quorate.version import __version__

if TYPE_CHECKING:
    from actors.gateway.control import Control
    from actors.gossip.messages import MembersView

Json = dict[str, Any]

SERF_NAMES: Final = {
    "lamport": "member_time",
    "event_clock": "event_time",
    "query_clock": "query_time",
    "queue": "intent_queue",
}
"""What Serf calls what gossip says of itself under other names."""

COUNTED: Final = (Status.ALIVE, Status.SUSPECT, Status.FAILED, Status.LEAVING, Status.LEFT)


def info_report(
    control: Control, raft: Mapping[str, Any], gossip: Mapping[str, Any], view: MembersView, handlers: Mapping[str, Any]
) -> Json:
    """agent, event_handlers, runtime, gossip, seeking (address to attempt), counters, raft, tags."""
    identity, config = control.identity, control.config
    counts = Counter(str(member.status) for member in view.members)
    own = next((member for member in view.members if member.id == view.local), None)
    return {
        "agent": {
            "name": identity.name,
            "id": identity.id,
            "address": identity.address,
            "cluster_id": identity.cluster_id,
            "version": __version__,
            "app": identity.app,
            "profile": config.timing_profile,
            "data_dir": str(config.data_dir.absolute()),
            "boot": identity.boot,
            "uptime_s": round(control.uptime_s(), 3),
        },
        "event_handlers": dict(handlers),
        "runtime": {**_process(), "loop_lag_s": round(control.system.loop_lag_s(), 4)},
        "gossip": {
            **{SERF_NAMES.get(key, key): value for key, value in _scalars(gossip).items() if key != "cluster_id"},
            **{status.value: counts[status.value] for status in COUNTED},
            "encrypted": config.key_file is not None,
        },
        "seeking": {
            seek["address"]: ", ".join(filter(None, [f"attempt {seek['attempts']}", seek["error"]]))
            for seek in gossip["seeking"]
        },
        "counters": dict(gossip["counters"]),
        "raft": {
            **_scalars(raft),
            "peers": len(raft["peers"]),
            "voters": len(raft["voters"]),
            "standbys": len(raft["standbys"]),
        },
        "tags": dict(sorted(own.tags.items())) if own is not None else {},
    }


def _scalars(report: Mapping[str, Any]) -> Json:
    return {key: value for key, value in report.items() if isinstance(value, str | int | float | bool)}


def _process() -> Json:
    """This process and its machine; Linux alone has /proc."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return {
        "os": platform.system().lower(),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "cpu_count": os.cpu_count(),
        "cpu_s": round(time.process_time(), 3),
        "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
        "threads": threading.active_count(),
        "open_files": len(os.listdir("/proc/self/fd")),
    }
