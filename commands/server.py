"""Commands about a server and its cluster: status, health, info, rtt, join, leave, force-leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from actors.views import health_view, info_view, rtt_view, status_view
from commands.options import GIVEN, HOST_PORT, Remote, remote_command
from transport.errors import QuorateError

LEAVE_TIMEOUT_S: Final = 30.0
"""Handing over the lead, a change of the configuration and a goodbye that is acknowledged."""

JOIN_TIMEOUT_S: Final = 15.0


class UnhealthyError(QuorateError):
    """The server answers and is not well."""

    exit_code = 5


class JoinError(QuorateError):
    """None of the servers could be joined."""


@click.command()
@remote_command()
def status(remote: Remote) -> None:
    """Show a server's role, the leader, the term and the quorum."""
    remote.show(remote.ask("status"), status_view)


@click.command()
@remote_command()
def health(remote: Remote) -> None:
    """Check a server and its cluster; the exit code is 5 when a check fails."""
    report = remote.ask("health")
    remote.show(report, health_view)
    if not report["healthy"]:
        failed = ", ".join(check["name"] for check in report["checks"] if not check["ok"])
        raise UnhealthyError(f"{report['node']} is unhealthy: {failed}")


@click.command()
@remote_command()
def info(remote: Remote) -> None:
    """Show a server in detail: its process, its gossip and its Raft, with queues, clocks and counters."""
    remote.show(remote.ask("info"), info_view)


@click.command()
@click.argument("start", type=GIVEN, metavar="NAME")
@click.argument("to", type=GIVEN, required=False, metavar="[NAME]")
@remote_command()
def rtt(remote: Remote, start: str, to: str | None) -> None:
    """Estimate the round trip between two members, or to one from the server that is asked."""
    remote.show(remote.ask("rtt", {"start": start, "to": to or ""}), rtt_view)


@click.command()
@click.argument("peers", type=HOST_PORT, nargs=-1, required=True, metavar="HOST:PORT...")
@remote_command(timeout_s=JOIN_TIMEOUT_S)
def join(remote: Remote, peers: tuple[str, ...]) -> None:
    """Have a running server join the cluster of other servers."""
    answer = remote.ask("join", {"peers": list(peers)})
    remote.show(answer, _join_view)
    if not answer["joined"]:
        raise JoinError(f"{remote.address} joined none of {', '.join(peers)}")


@click.command()
@remote_command(timeout_s=LEAVE_TIMEOUT_S)
def leave(remote: Remote) -> None:
    """Take a server out of its cluster; its process ends.  Started again, it joins anew."""
    remote.show(remote.ask("leave"), lambda _: f"the server at {remote.address} has left the cluster")


@click.command("force-leave")
@click.argument("name", type=GIVEN)
@click.option("--prune", is_flag=True, help="Have every server forget it at once, instead of showing it as left.")
@remote_command()
def force_leave(remote: Remote, name: str, prune: bool) -> None:
    """Declare a failed member that will not come back as left.

    Raft stops counting on its vote, once there is a leader to take it away.  A member that lives is not declared left:
    run `leave` on it, or stop it first.
    """
    answer = remote.ask("force_leave", {"name": name, "prune": prune})
    status = "forgotten" if prune else answer["status"]
    remote.show(answer, lambda value: f"{value['name']} is {status}")
    if answer.get("keeps_vote"):
        click.echo(
            f"{answer['name']} keeps its vote in Raft: only a leader with a majority takes it away, and "
            f"{remote.address} knows of none; start other servers again, or see 'recover --help' if a majority is lost "
            "for good",
            err=True,
        )


def _join_view(answer: dict[str, Any]) -> str:
    joined = [f"joined {peer}" for peer in answer["joined"]]
    failed = [f"did not join {peer}: {reason}" for peer, reason in answer["failed"].items()]
    return "\n".join(joined + failed)


COMMANDS: Final[Mapping[str, click.Command]] = {
    "status": status,
    "health": health,
    "info": info,
    "rtt": rtt,
    "join": join,
    "leave": leave,
    "force-leave": force_leave,
}
