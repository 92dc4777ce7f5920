"""The command members: who is in the cluster, narrowed by regular expressions, in detail, or as it changes.

What lives here: the options, and the choice of members.  What does not: how a change is told (member_watch.py).

The expressions are evaluated here and not by the server: one that takes for ever hangs nothing but this command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from actors.views import Row, members_detailed_view, members_view, why_view
from commands.options import GIVEN, Remote, Text, remote_command


class Regex(Text):
    """A regular expression that has to fit the whole text, as Serf's do."""

    name = "regex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The compiled expression, or the usage error."""
        try:
            return re.compile(super().convert(value, param, ctx))
        except (re.error, RecursionError, OverflowError) as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)


class TagRegex(Regex):
    """KEY=REGEX."""

    name = "tag"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The key and the compiled expression, or the usage error."""
        key, equals, expression = str(value).partition("=")
        if not (key and equals):
            self.fail(f"{value!r} is no tag: write KEY=REGEX", param, ctx)
        return key, super().convert(expression, param, ctx)


class Choice:
    """Which members are wanted: any of the names, any of the statuses, and all of the tags."""

    def __init__(
        self,
        names: Sequence[re.Pattern[str]],
        statuses: Sequence[re.Pattern[str]],
        tags: Sequence[tuple[str, re.Pattern[str]]],
    ) -> None:
        self._names = names
        self._statuses = statuses
        self._tags = tags

    def __bool__(self) -> bool:
        return bool(self._names or self._statuses or self._tags)

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """Those that fit, in their order."""
        return [row for row in rows if self._fits(row)]

    def _fits(self, row: Row) -> bool:
        return (
            _any_fits(self._names, row["name"])
            and _any_fits(self._statuses, row["status"])
            and all(key in row["tags"] and pattern.fullmatch(row["tags"][key]) for key, pattern in self._tags)
        )


def _any_fits(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return not patterns or any(pattern.fullmatch(text) for pattern in patterns)


@click.command()
@click.option("--name", "names", type=Regex(), multiple=True, metavar="REGEX", help="Only members of this name.")
@click.option(
    "--status",
    "statuses",
    type=Regex(),
    multiple=True,
    metavar="REGEX",
    help="Only alive, suspect, failed, leaving, left; 'suspect|failed' for either.",
)
@click.option(
    "--tag",
    "tags",
    type=TagRegex(),
    multiple=True,
    metavar="K=REGEX",
    help="Only members with such a tag.",
)
@click.option(
    "--detailed",
    is_flag=True,
    help="Also whole ids, incarnations, round trips, and for how long one has not been alive.",
)
@click.option("--watch", "is_watch", is_flag=True, help="Keep the table up to date; in a pipe, a line a change.")
@click.option("--why", type=GIVEN, metavar="NAME", help="How one member came to its status: who saw what, and when.")
@remote_command()
def members(
    remote: Remote,
    names: Sequence[re.Pattern[str]],
    statuses: Sequence[re.Pattern[str]],
    tags: Sequence[tuple[str, re.Pattern[str]]],
    detailed: bool,
    is_watch: bool,
    why: str | None,
) -> None:
    """List the members as gossip sees them.

    Expressions have to fit the whole text: 'web.*' for names that begin with web.
    """
    choice = Choice(names, statuses, tags)
    view = members_detailed_view if detailed else members_view
    if why is not None:
        if choice or detailed or is_watch:
            raise click.UsageError("--why tells of one member: it goes with none of the other options")
        remote.show(remote.ask("members", {"why": why}), why_view)
    elif is_watch:
        from commands.member_watch import watch

        watch(remote, choice.of, view)
    else:
        remote.show(choice.of(remote.ask("members")), view)
