"""`recover`: make a cluster again of what is left, when a majority of its servers is lost for good.

What lives here: the question to the operator, and what is said before and after.  What does not: what a recovery is
(actors/raft/recovery.py) and how it is written (storage/recovery.py).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from actors.gossip.member import Status
from actors.raft.recovery import Recovery, RecoveryError, names, plan_recovery
from commands.options import TEXT, environment
from commands.paths import FOLDER
from commands.start import DEFAULT_DATA_DIR
from storage.recovery import Stopped, stopped_server
from storage.serf_db import KnownMember
from transport.address import parse_address

_STAMP = "%Y%m%d-%H%M%S"


class NotConfirmedError(RecoveryError):
    """Nobody has said yes."""


@click.command()
@click.option(
    "--data-dir",
    type=FOLDER,
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar=environment("--data-dir"),
    help="The data directory of the stopped server.",
)
@click.option(
    "--server",
    "servers",
    type=TEXT,
    multiple=True,
    metavar="NAME[=HOST:PORT]",
    help="A server that is left, with its address if that is a new one; may be given several times.  "
    "[default: this server alone]",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def recover(data_dir: Path, servers: tuple[str, ...], yes: bool) -> None:
    """Make a cluster again of what is left, when a majority is lost for good.

    Only for a stopped server, and only when the majority will not come back: what the lost servers alone had is lost,
    and what was written here but not committed is committed.  If the others can be started, start them instead.  It
    makes a new cluster of the servers named, with all the data of this one.  A copy of the directory is kept in it.
    """
    survivors = _survivors(servers)
    with stopped_server(data_dir.absolute()) as stopped:
        recovery = plan_recovery(stopped.raft, stopped.serf.id, survivors)
        click.echo(_plan(stopped, recovery))
        if not yes:
            _confirm()
        copy = stopped.back_up(datetime.now(UTC).strftime(_STAMP))
        others = [
            KnownMember(server.id, server.name, server.address, Status.FAILED, incarnation=0)
            for server in recovery.configuration.servers
            if server.id != stopped.serf.id
        ]
        stopped.write(recovery.cluster_id, recovery.term, recovery.entry, others)
    click.echo(_outlook(stopped, recovery, copy))


def _survivors(servers: tuple[str, ...]) -> dict[str, str]:
    survivors = {}
    for text in servers:
        name, equals, address = text.partition("=")
        if not name or (equals and not address) or name in survivors:
            raise click.BadParameter(f"{text!r}: write NAME or NAME=HOST:PORT, each server once", param_hint="--server")
        if address:
            try:
                parse_address(address)
            except ValueError as error:
                raise click.BadParameter(f"{text!r}: {error}", param_hint="--server") from None
        survivors[name] = address
    return survivors


def _plan(stopped: Stopped, recovery: Recovery) -> str:
    raft = stopped.raft
    last = raft.anchor_index + len(raft.entries)
    last_term = raft.entries[-1][2] if raft.entries else raft.anchor_term
    return "\n".join(
        [
            f"directory    {stopped.path}, of {stopped.serf.name} ({stopped.serf.id[:8]})",
            f"its log      ends at entry {last} of term {last_term}; committed up to {raft.commit} at least",
            f"old cluster  {raft.cluster_id}",
            f"new cluster  {recovery.cluster_id}, voters: {names(recovery.configuration.servers)}",
            f"given up     {names(recovery.lost)}",
            "Entries that are not committed yet will be.  Of several survivors, recover the one whose log ends last by",
            "(term, entry).  Never do this while a majority of the old cluster can still be started.",
        ]
    )


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise NotConfirmedError(
            "nothing was changed: there is no terminal to ask on; give --yes if that is what you want"
        )
    if not click.confirm("Recover?", err=True):
        raise NotConfirmedError("nothing was changed")


def _outlook(stopped: Stopped, recovery: Recovery, copy: Path) -> str:
    own = recovery.configuration.get(stopped.serf.id)
    address = own.address if own else ""
    others = [server for server in recovery.configuration.servers if server.id != stopped.serf.id]
    lines = [f"done; what was there before is in {copy}"]
    if others:
        again = " ".join(f"--server {server.name}={server.address}" for server in recovery.configuration.servers)
        lines.append(f"Before any of them is started, do the same on {names(others)}: recover {again}")
    lines.append("Start this server with its usual line.")
    lines.append(f"Servers given up, and new ones, join with an empty --data-dir and --peer {address}.")
    return "\n".join(lines)
