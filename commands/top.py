"""The command top: the cluster at a glance, kept up to date on a terminal; once, as text, in a pipe.

What lives here: asking, the rates between two answers, and the screen.  What does not: what servers answer.

Rates are of the server that is asked: the entries that were committed, which are the cluster's, and the requests that
clients made of it.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import frozen

from actors.views import table
from commands.follow import Follower
from commands.options import Remote, remote_command
from transport.errors import QuorateError
from transport.text import escaped

if TYPE_CHECKING:
    from rich.console import Group

PERIOD_S: Final = 1.0
QUIT: Final = frozenset("qQ\x03")
COLUMNS: Final = ("NAME", "ADDRESS", "STATUS", "ROLE", "VOTER", "LAG", "RTT")
_STYLES: Final = {"alive": "green", "suspect": "yellow", "leaving": "yellow", "failed": "bold red", "left": "dim"}
_NONE: Final = "-"

Json = dict[str, Any]


@frozen
class Look:
    """What a server said at one time, in this machine's monotonic seconds."""

    at: float
    status: Json
    members: list[Json]
    peers: list[Json]
    requests: Json


@frozen
class Rates:
    """What happened a second between two looks, and how long what clients asked took."""

    commits: float
    writes: float
    reads: float
    write_p99_ms: float | None
    read_p99_ms: float | None


@click.command()
@remote_command()
def top(remote: Remote) -> None:
    """Show members, roles, lag and throughput, kept up to date; q quits.  In a pipe: once, as text."""
    with Follower(remote) as follower:
        first = _look(follower)
        if not sys.stdout.isatty() or remote.form != "table":
            time.sleep(PERIOD_S)
            second = _look(follower)
            remote.show(_report(first, second), lambda _: _plain(first, second))
            return
        _live(follower, first)


def _look(follower: Follower) -> Look:
    status, members = follower.ask("status"), follower.ask("members")
    return Look(time.monotonic(), status, members, follower.ask("raft.peers"), follower.ask("requests"))


# --- figures ----------------------------------------------------------------------------------------------------------


def rates(before: Look, after: Look) -> Rates:
    """The rates; counters that began anew, with the actor that counts, show as 0."""
    elapsed_s = max(after.at - before.at, 1e-3)

    def rate(then: int, now: int) -> float:
        return max(now - then, 0) / elapsed_s

    def of(kind: str) -> tuple[float, float | None]:
        then, now = before.requests[kind], after.requests[kind]
        counts = [max(b - a, 0) for a, b in zip(then["buckets"], now["buckets"], strict=True)]
        return rate(then["commands"], now["commands"]), quantile_ms(after.requests["bounds_s"], counts, 0.99)

    writes, reads = of("writes"), of("reads")
    commits = rate(before.status["commit_index"], after.status["commit_index"])
    return Rates(commits, writes[0], reads[0], writes[1], reads[1])


def quantile_ms(bounds_s: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """The bound that this share of the counts is within; None when there are none."""
    total = sum(counts)
    if not total:
        return None
    seen = 0
    for bound, count in zip(bounds_s, counts, strict=False):
        seen += count
        if seen >= share * total:
            return bound * 1000
    return bounds_s[-1] * 1000


def _report(before: Look, after: Look) -> Json:
    found = rates(before, after)
    return {
        "status": after.status,
        "servers": [dict(zip(map(str.lower, COLUMNS), row, strict=True)) for row in rows(after)],
        "commits_per_s": round(found.commits, 1),
        "writes_per_s": round(found.writes, 1),
        "reads_per_s": round(found.reads, 1),
        "write_p99_ms": found.write_p99_ms,
        "read_p99_ms": found.read_p99_ms,
    }


def rows(look: Look) -> list[tuple[str, ...]]:
    """A row a member, and one a server of the Raft configuration that is no member."""
    peers = {peer["id"]: peer for peer in look.peers}
    known = [(member, peers.pop(member["id"], {})) for member in look.members]
    lost = [({"name": peer["name"], "address": peer["address"]}, peer) for peer in peers.values()]
    return [_row(member, peer) for member, peer in [*known, *lost]]


def _row(member: Json, peer: Json) -> tuple[str, ...]:
    rtt_ms, lag = member.get("rtt_ms"), peer.get("lag")
    return (
        escaped(member["name"]),
        member["address"],
        member.get("status") or _NONE,
        peer.get("role") or _NONE,
        _NONE if "voter" not in peer else "yes" if peer["voter"] else "no",
        _NONE if lag is None else str(lag),
        _NONE if rtt_ms is None else f"{rtt_ms:g} ms",
    )


def headline(look: Look) -> str:
    """The cluster in a line."""
    status = look.status
    quorum = "quorum" if status["quorum"] else "NO QUORUM: nothing can be written"
    leader = escaped(status["leader"]) or "nobody"
    index = f"commit {status['commit_index']}, applied {status['applied_index']}"
    return f"cluster {status['cluster_id'] or _NONE}   {leader} leads in term {status['term']}   {quorum}   {index}"


def throughput(found: Rates, look: Look) -> str:
    """The rates in a line."""
    return (
        f"{found.commits:,.0f} entries/s committed; at {escaped(look.status['node'])}: "
        f"{found.writes:,.0f} writes/s{_within(found.write_p99_ms)}, {found.reads:,.0f} reads/s"
        f"{_within(found.read_p99_ms)}, {look.requests['in_progress']} in progress"
    )


def _within(ms: float | None) -> str:
    return "" if ms is None else f" (p99 {ms:.3g} ms)"


def _plain(before: Look, after: Look) -> str:
    return "\n".join([headline(after), throughput(rates(before, after), after), "", table(COLUMNS, rows(after))])


# --- the screen -------------------------------------------------------------------------------------------------------


def _live(follower: Follower, before: Look) -> None:
    from rich.console import Console
    from rich.live import Live

    after, trouble = before, ""
    with _keys() as is_quit, Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            live.update(_screen(before, after, trouble), refresh=True)
            if is_quit(PERIOD_S):
                return
            try:
                before, after, trouble = after, _look(follower), ""
            except QuorateError as error:
                # A server that is being restarted comes back; what was seen last stays, with the reason.
                trouble = str(error)


def _screen(before: Look, after: Look, trouble: str) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        shown.add_column(column, justify="right" if column in ("LAG", "RTT") else "left")
    for row in rows(after):
        # Names were chosen by others: they are text, and no markup.
        shown.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    style = "" if after.status["quorum"] else "bold red"
    return Group(
        Text(headline(after), style=style),
        Text(throughput(rates(before, after), after)),
        Text(trouble, style="bold red"),
        shown,
        Text("\nq quits", style="dim"),
    )


@contextmanager
def _keys() -> Iterator[Any]:
    """Whether a key that quits was pressed within so many seconds; each key is heard at once."""
    import termios
    import tty

    if not sys.stdin.isatty():

        def wait(seconds: float) -> bool:
            time.sleep(seconds)
            return False

        yield wait
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return bool(ready) and bool(QUIT.intersection(os.read(descriptor, 64).decode("utf-8", "replace")))

    try:
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
