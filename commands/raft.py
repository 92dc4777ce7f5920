"""Commands about the Raft group: raft peers, transfer, remove, snapshot."""

from __future__ import annotations

from typing import Any

import click

from actors.views import peers_view
from commands.options import GIVEN, Remote, remote_command


@click.group(no_args_is_help=True)
def raft() -> None:
    """Look at the Raft group and operate it."""


@raft.command()
@remote_command()
def peers(remote: Remote) -> None:
    """List the Raft configuration, how far each server is, and why the reconciler does what it does."""
    remote.show(remote.ask("raft.peers"), peers_view)


@raft.command()
@click.argument("name", type=GIVEN, required=False)
@remote_command()
def transfer(remote: Remote, name: str | None) -> None:
    """Hand leadership over, to NAME or to the server that is furthest."""
    answer = remote.ask("raft.transfer", {"name": name or ""})
    remote.show(answer, lambda _: f"leadership handed over{f' to {name}' if name else ''}")


@raft.command()
@click.argument("name", type=GIVEN)
@remote_command()
def remove(remote: Remote, name: str) -> None:
    """Take a server out of the Raft configuration; its data stays with it."""
    answer = remote.ask("raft.remove", {"name": name})
    remote.show(answer, lambda value: f"{name} removed{_because(value)}")


@raft.command()
@remote_command(timeout_s=60.0)
def snapshot(remote: Remote) -> None:
    """Have a server write a snapshot now and drop the log before it."""
    remote.show(remote.ask("raft.snapshot"), lambda value: value.get("reason") or "snapshot written")


def _because(value: Any) -> str:
    reason = value.get("reason") if isinstance(value, dict) else ""
    return f": {reason}" if reason else ""
