"""What `/metrics` shows: every metric with its meaning, and where its values come from.

What lives here: the definitions, which docs/metrics.md is made from, and pure functions from what the actors said to
samples.  What does not: asking them (metric_operations.py), Prometheus' text (http/exposition.py), and the
counting of HTTP (http/counts.py).

Every label has a bound, which its definition names: a scrape is never larger than the cluster and this program make it.
Counters begin at 0 with each incarnation of the actor that counts, which Prometheus' `rate` allows for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import asdict
from msgspec import Struct

from actors.gateway.latency import BOUNDS_S, Histogram

if TYPE_CHECKING:
    from actors.gateway.core import GatewayCore

PREFIX: Final = "quorate_"
ROLES: Final = ("leader", "follower", "candidate", "standby")
STATUSES: Final = ("alive", "suspect", "failed", "leaving", "left")

Json = Mapping[str, Any]
Sample = tuple[list[str], Any]
"""The values of the labels in their order, and the number; of a histogram {"buckets", "count", "sum_s"}."""

Samples = dict[str, list[Sample]]


class Metric(Struct, frozen=True):
    """One metric.  labels: name to what bounds its values."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: Mapping[str, str] = {}


_PEER: Final = {"peer": "id of a server in the Raft configuration"}
_ACTOR: Final = {"actor": "the actors of a server, fixed by the program"}
_FILE: Final = {"file": "raft.db, serf.db"}

DEFINITIONS: Final = (
    Metric("raft_term", "gauge", "The current term."),
    Metric("raft_role", "gauge", "1 for the role that this server has.", {"role": ", ".join(ROLES)}),
    Metric("raft_leader_known", "gauge", "1 while this server knows a leader."),
    Metric("raft_quorum", "gauge", "1 while the leader hears a majority, or this server hears a leader."),
    Metric("raft_commit_index", "gauge", "The last entry known to be committed."),
    Metric("raft_applied_index", "gauge", "The last entry applied to the state machine."),
    Metric("raft_last_index", "gauge", "The last entry of the log."),
    Metric("raft_durable_index", "gauge", "The last entry that is on this server's disk."),
    Metric("raft_snapshot_index", "gauge", "The last entry in the snapshot; 0 without one."),
    Metric("raft_voters", "gauge", "Servers with a vote."),
    Metric("raft_standbys", "gauge", "Servers of the configuration without a vote."),
    Metric("raft_elections", "counter", "How often this server stood for election."),
    Metric(
        "raft_diverged", "gauge", "1 while what is committed here is not its leader's history: it answers no reads."
    ),
    Metric("raft_peer_lag", "gauge", "Committed entries that a server has not acknowledged; the leader knows.", _PEER),
    Metric("raft_peer_heard_seconds", "gauge", "Since the leader last heard of a server.", _PEER),
    Metric("gossip_members", "gauge", "Members by status.", {"status": ", ".join(STATUSES)}),
    Metric("gossip_health_score", "gauge", "Lifeguard's local health: 0 is well, 8 as ill as it gets."),
    Metric("gossip_probes", "counter", "Direct probes sent."),
    Metric("gossip_indirect_probes", "counter", "Probes that other members were asked for."),
    Metric("gossip_failed_probes", "counter", "Probes that nobody had an answer to."),
    Metric("gossip_refutations", "counter", "How often this server denied that it was suspect or failed."),
    Metric("gossip_queue", "gauge", "Claims that wait to be passed on."),
    Metric("actor_restarts", "counter", "Restarts of an actor since the server was started.", _ACTOR),
    Metric("actor_handled", "counter", "Messages handled.", _ACTOR),
    Metric("mailbox_depth", "gauge", "Messages that wait.", _ACTOR),
    Metric("mailbox_refused", "counter", "Messages that a full mailbox turned away.", _ACTOR),
    Metric(
        "dead_letters",
        "counter",
        "Messages that could not be delivered.",
        {"reason": "the reasons, fixed by the program"},
    ),
    Metric("loop_lag_seconds", "gauge", "How late the event loop was within the last two seconds."),
    Metric("storage_commit_seconds", "histogram", "How long transactions took to be on the disk.", _FILE),
    Metric("storage_bytes", "gauge", "Size of a file with its write-ahead log.", _FILE),
    Metric("storage_failing", "gauge", "1 while the disk refuses writes."),
    Metric("gateway_pending", "gauge", "Commands and queries in progress."),
    Metric("gateway_requests", "counter", "Requests of clients for data."),
    Metric("gateway_forwards", "counter", "Batches that other servers' gateways sent."),
    Metric("gateway_refused", "counter", "Requests turned away by a limit or as nonsense."),
    Metric("gateway_retried", "counter", "Attempts made again."),
    Metric("gateway_unknown_outcomes", "counter", "Writes answered with an unknown outcome."),
    Metric("gateway_late_answers", "counter", "Answers that nobody waited for any more."),
    Metric(
        "gateway_request_seconds",
        "histogram",
        "How long clients' requests for data took, as far as this server saw.",
        {"kind": "read, write"},
    ),
    Metric("gateway_watches", "gauge", "Watches that wait for a change."),
    Metric(
        "http_requests",
        "counter",
        "Requests by route and class of status.",
        {"route": "the routes of the API, else unmatched", "status": "1xx to 5xx"},
    ),
    Metric("http_streams", "gauge", "Streams of server-sent events that are open."),
)
"""In the order of the page; a counter's name gets _total in Prometheus' text."""


def raft_samples(raft: Json) -> Samples:
    """From Raft's status."""
    names = ("term", "commit_index", "applied_index", "last_index", "durable_index", "snapshot_index", "elections")
    peers = raft["peers"]
    return {
        **{f"raft_{name}": _one(raft[name]) for name in names if name in raft},
        "raft_role": [([role], int(raft["role"] == role)) for role in ROLES],
        "raft_leader_known": _one(int(bool(raft["leader_id"]))),
        "raft_quorum": _one(int(raft["quorum"])),
        "raft_diverged": _one(int(bool(raft["divergence"]))),
        "raft_voters": _one(len(raft["voters"])),
        "raft_standbys": _one(len(raft["standbys"])),
        "raft_peer_lag": _known(peers, "lag"),
        "raft_peer_heard_seconds": _known(peers, "heard_s_ago"),
        "storage_failing": _one(int(bool(raft["storage_error"]))),
    }


def gossip_samples(statuses: Iterable[str], gossip: Json) -> Samples:
    """From the members' statuses and gossip's own."""
    counts = Counter(statuses)
    counters = gossip["counters"]
    return {
        "gossip_members": [([status], counts[status]) for status in STATUSES],
        "gossip_health_score": _one(gossip["health_score"]),
        "gossip_probes": _one(counters.get("probes", 0)),
        "gossip_indirect_probes": _one(counters.get("indirect probes", 0)),
        "gossip_failed_probes": _one(counters.get("failed probes", 0)),
        "gossip_refutations": _one(gossip.get("refutations", 0)),
        "gossip_queue": _one(gossip["queue"]),
    }


def actor_samples(actors: Iterable[Json], mailboxes: Iterable[Json], dead_letters: Json, loop_lag_s: float) -> Samples:
    """From the actor system."""
    actors, mailboxes = list(actors), list(mailboxes)
    return {
        "actor_restarts": [([row["name"]], row["restarts"]) for row in actors],
        "actor_handled": [([row["name"]], row["handled"]) for row in actors],
        "mailbox_depth": [([row["name"]], row["depth"]) for row in mailboxes],
        "mailbox_refused": [([row["name"]], row["refused"]) for row in mailboxes],
        "dead_letters": [([reason], count) for reason, count in sorted(dead_letters["by_reason"].items())],
        "loop_lag_seconds": _one(loop_lag_s),
    }


def storage_samples(storage: Json) -> Samples:
    """From persistence."""
    return {
        "storage_commit_seconds": [([file], times) for file, times in sorted(storage["commits"].items())],
        "storage_bytes": [([file], size) for file, size in sorted(storage["bytes"].items())],
    }


def gateway_samples(core: GatewayCore, watches: int) -> Samples:
    """From the gateway itself."""
    return {
        **{f"gateway_{name}": _one(count) for name, count in asdict(core.stats).items()},
        "gateway_pending": _one(core.pending),
        "gateway_request_seconds": [(["read"], _durations(core.reads)), (["write"], _durations(core.writes))],
        "gateway_watches": _one(watches),
    }


def _durations(histogram: Histogram) -> Json:
    report = histogram.report()
    totals = accumulate(report["buckets"])
    buckets = [list(pair) for pair in zip(BOUNDS_S, totals, strict=False)]
    return {"buckets": buckets, "count": report["requests"], "sum_s": report["sum_s"]}


def _one(value: float) -> list[Sample]:
    return [([], value)]


def _known(peers: Iterable[Json], key: str) -> list[Sample]:
    return [([peer["id"]], peer[key]) for peer in peers if peer.get(key) is not None]


def reference() -> str:
    """docs/metrics.md."""
    rows = [
        f"| `{PREFIX}{one.name}{_SUFFIX.get(one.kind, '')}` | {one.kind} | {_labels(one)} | {one.help} |"
        for one in DEFINITIONS
    ]
    return "\n".join(
        [_HEAD, "| metric | kind | labels, and what bounds them | meaning |", "|---|---|---|---|", *rows, ""]
    )


_SUFFIX: Final = {"counter": "_total"}


def _labels(one: Metric) -> str:
    return "; ".join(f"`{name}`: {bound}" for name, bound in one.labels.items())


_HEAD: Final = """# Metrics

<!-- made by make reference -->

`GET /metrics` of every server, in Prometheus' text format:

```yaml
scrape_configs:
  - job_name: quorate
    static_configs:
      - targets: ["127.0.0.1:7947", "127.0.0.1:7957", "127.0.0.1:7967"]
```

Beside these metrics a server shows those of its process, under the names that Prometheus' client libraries share:
`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds`, `process_max_fds`,
`process_virtual_memory_bytes` and `process_start_time_seconds`.

A part that does not answer is left out of the scrape, and the others are there: alert on what is missing, too. Counters
begin at 0 when the actor that counts is restarted, which `rate` allows for.

What to watch: `quorate_raft_quorum == 0` for more than some seconds; `quorate_raft_peer_lag` that grows;
`rate(quorate_raft_elections_total[5m])` above a few; `quorate_storage_failing == 1`; `quorate_raft_diverged == 1`;
`rate(quorate_actor_restarts_total[1h]) > 0`; `quorate_gossip_members{status="failed"}`.
"""
