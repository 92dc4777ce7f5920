"""Commands that look into a running server: actors list, tree, kill, mailboxes, dead-letters."""

from __future__ import annotations

from typing import Any

import click

from actors.views import actors_view, dead_letters_view, list_view, tree_view
from commands.options import Remote, Text, remote_command
from transport.text import shortened


class Incarnation(Text):
    """NAME@INCARNATION: one incarnation of an actor."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, or the usage error."""
        target = super().convert(value, param, ctx)
        name, at, number = target.rpartition("@")
        if not (name and at and number.isascii() and number.isdigit()):
            self.fail(f"{shortened(target)} is not NAME@INCARNATION: 'actors list' shows both", param, ctx)
        return target


@click.group(no_args_is_help=True)
def actors() -> None:
    """Look at the actors of a server, and restart one."""


@actors.command("list")
@remote_command()
def list_actors(remote: Remote) -> None:
    """List the actors with their incarnation, state and mailbox."""
    remote.show(remote.ask("actors.list"), actors_view)


@actors.command()
@remote_command()
def tree(remote: Remote) -> None:
    """Show the supervisors with their actors."""
    remote.show(remote.ask("actors.tree"), tree_view)


@actors.command()
@click.argument("target", type=Incarnation(), metavar="NAME@INCARNATION")
@remote_command()
def kill(remote: Remote, target: str) -> None:
    """Kill one incarnation of an actor; its supervisor starts the next."""
    remote.show(remote.ask("actors.kill", {"target": target}), lambda value: str(value["result"]))


@actors.command()
@remote_command()
def mailboxes(remote: Remote) -> None:
    """Show how full the mailboxes are, and what they refused."""
    remote.show(remote.ask("actors.mailboxes"), list_view)


@actors.command("dead-letters")
@remote_command()
def dead_letters(remote: Remote) -> None:
    """Show the messages that could not be delivered."""
    remote.show(remote.ask("actors.dead_letters"), dead_letters_view)
