"""The command tree, and how a command ends: exit codes and the one line of an error.

What lives here: the tree, loaded as needed, because a command has 0.3 s from start to end and most need little.  What
does not: the commands, and what they have in common (options.py).

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no server reached; 4 no leader, no quorum or an unknown outcome; 5
unhealthy; 70 the server gave up; 130 interrupted.  Whatever ends a command brings its own code (transport/errors.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import click

from actors.program import PROGRAM, complete_variable
from commands.output import is_output_lost, output_lost
from transport.errors import QuorateError
from transport.text import escaped_lines

EXIT_INTERRUPTED = 130
CHECKOUT_SCRIPT = "cli.py"


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used.  `loaders` are in the order of the help."""

    def __init__(self, name: str, loaders: Mapping[str, Callable[[], click.Command]], help_text: str) -> None:
        super().__init__(name, help=help_text, no_args_is_help=True)
        self._loaders = loaders

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of use."""
        return list(self._loaders)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        loader = self._loaders.get(cmd_name)
        return loader() if loader else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a usage error that suggests one when there is none."""
        if args and args[0] not in self._loaders and not args[0].startswith("-"):
            near = get_close_matches(args[0], self._loaders, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"'{ctx.command_path} --help' lists them."
            ctx.fail(f"no such command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; an error that ends it is one line, and its exit code the process's."""
        try:
            return super().invoke(ctx)
        except QuorateError as error:
            _say(f"error: {escaped_lines(str(error))}")
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            _say("interrupted")
            ctx.exit(EXIT_INTERRUPTED)
        except click.NoSuchOption as error:
            if error.possibilities or error.ctx is None or not _takes_arguments(error.ctx.command):
                raise
            hint = f"If it is an argument, put '--' before it: -- {error.option_name}"
            raise click.NoSuchOption(error.option_name, f"{error.message} {hint}", ctx=error.ctx) from None

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line and end the process."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            # A reader that has seen enough is click's.
            if not is_output_lost(error):
                raise
            sys.exit(output_lost(error))


def _takes_arguments(command: click.Command) -> bool:
    return any(isinstance(param, click.Argument) for param in command.params)


def _say(line: str) -> None:
    with suppress(OSError):
        click.echo(line, err=True)


def _start() -> click.Command:
    from commands.start import start

    return start


def _server(name: str) -> click.Command:
    from commands.server import COMMANDS

    return COMMANDS[name]


def _members() -> click.Command:
    from commands.members import members

    return members


def _tags() -> click.Command:
    from commands.tags import tags

    return tags


def _events(name: str) -> click.Command:
    from commands import events

    command: click.Command = getattr(events, name)
    return command


def _monitor() -> click.Command:
    from commands.monitor import monitor

    return monitor


def _raft() -> click.Command:
    from commands.raft import raft

    return raft


def _kv() -> click.Command:
    from commands.kv import kv

    return kv


def _locks(name: str) -> click.Command:
    from commands import locks

    command: click.Command = getattr(locks, name)
    return command


def _actors() -> click.Command:
    from commands.actors import actors

    return actors


def _keys() -> click.Command:
    from commands.keys import keys

    return keys


def _tokens() -> click.Command:
    from commands.tokens import tokens

    return tokens


def _cluster() -> click.Command:
    from commands.cluster import cluster

    return cluster


def _console() -> click.Command:
    from commands.console import console

    return console


def _check() -> click.Command:
    from commands.check import check

    return check


def _recover() -> click.Command:
    from commands.recover import recover

    return recover


def _backup(name: str) -> click.Command:
    from commands import backup

    command: click.Command = getattr(backup, name)
    return command


def _debug() -> click.Command:
    from commands.debug import debug

    return debug


def _top() -> click.Command:
    from commands.top import top

    return top


def _completion() -> click.Command:
    from commands.completion import completion

    return completion


def _version() -> click.Command:
    from commands.version import version

    return version


root = LazyGroup(
    "quorate",
    {
        "start": _start,
        "status": partial(_server, "status"),
        "health": partial(_server, "health"),
        "members": _members,
        "rtt": partial(_server, "rtt"),
        "tags": _tags,
        "join": partial(_server, "join"),
        "leave": partial(_server, "leave"),
        "force-leave": partial(_server, "force-leave"),
        "info": partial(_server, "info"),
        "event": partial(_events, "event"),
        "query": partial(_events, "query"),
        "reachability": partial(_events, "reachability"),
        "monitor": _monitor,
        "top": _top,
        "raft": _raft,
        "kv": _kv,
        "lock": partial(_locks, "lock"),
        "elect": partial(_locks, "elect"),
        "lease": partial(_locks, "lease"),
        "actors": _actors,
        "keys": _keys,
        "tokens": _tokens,
        "cluster": _cluster,
        "console": _console,
        "backup": partial(_backup, "backup"),
        "restore": partial(_backup, "restore"),
        "check": _check,
        "recover": _recover,
        "debug": _debug,
        "completion": _completion,
        "version": _version,
    },
    """Quorate: a cluster that forms itself, and a key-value store that survives its servers.

    Start a server with 'start', look with 'status' and 'members', store with 'kv'.  Every command that talks to a
    server takes --address, --key, --timeout and --format, or QUORATE_ADDRESS, QUORATE_KEY and so on, or --config FILE
    with a table [client].
    """,
)


def main() -> None:
    """Run the command line and end the process."""
    if Path(sys.argv[0]).name == CHECKOUT_SCRIPT:
        # Else usage errors say "Try 'cli.py --help'", which no shell finds.
        root(prog_name=PROGRAM, complete_var=complete_variable(CHECKOUT_SCRIPT))
    else:
        root()
