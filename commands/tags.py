"""Tags as they are typed, and the commands about a running server's own: tags set, unset."""

from __future__ import annotations

from typing import Any

import click

from actors.views import tags_view
from commands.options import TEXT, Remote, remote_command


@click.group(no_args_is_help=True)
def tags() -> None:
    """Change what other servers may know about a server, while it runs.

    The server that is asked changes its own tags; all others know within a second.  What is changed stands after a
    restart, too, unless the server is started with another value of that --tag than the last time: the latest word
    counts.
    """


@tags.command("set")
@click.argument("texts", type=TEXT, nargs=-1, required=True, metavar="KEY=VALUE...")
@remote_command()
def set_(remote: Remote, texts: tuple[str, ...]) -> None:
    """Set tags, all of them or none."""
    _change(remote, {"put": parse_tags(texts, "KEY=VALUE")})


@tags.command()
@click.argument("keys", type=TEXT, nargs=-1, required=True, metavar="KEY...")
@remote_command()
def unset(remote: Remote, keys: tuple[str, ...]) -> None:
    """Remove tags, all of them or none."""
    _change(remote, {"remove": list(dict.fromkeys(keys))})


def parse_tags(texts: tuple[str, ...], hint: str = "--tag") -> dict[str, str]:
    """Tags from K=V texts.  Raises BadParameter for anything else."""
    tags = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} is no tag: write KEY=VALUE", param_hint=hint)
        tags[name] = value
    return tags


def _change(remote: Remote, change: dict[str, Any]) -> None:
    remote.show(remote.ask("tags", change), tags_view)
