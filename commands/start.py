"""The command start: a server in this process, until it is stopped, leaves or gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from actors.config import (
    BOOTSTRAP_EXPECT_MAX,
    DEAD_SERVER_TIMEOUT_DEFAULT_S,
    DEFAULT_PORT,
    PROFILES,
    VOTERS_MAX_DEFAULT,
    VOTERS_MIN_DEFAULT,
    NodeConfig,
)
from commands.config_file import config_option
from commands.logs import FORMATS, LEVELS, configure_logs
from commands.options import GIVEN, TEXT, Command, Text, environment
from commands.paths import FILE, FOLDER
from commands.tags import parse_tags

DEFAULT_DATA_DIR: Final = Path("quorate-data")


class Line(Text):
    """Text with spaces in it; several of them are a line each in the environment."""

    envvar_list_splitter = "\n"


def _option(name: str, *more: str, **attributes: Any) -> Callable[[Command], Command]:
    return click.option(name, *more, envvar=environment(name), **attributes)


@click.command()
@_option(
    "--name",
    type=GIVEN,
    metavar="NAME",
    help=f"The server's name in the cluster.  [default: the host's name, with -PORT if that is not {DEFAULT_PORT}]",
)
@_option(
    "--bind", default=f"127.0.0.1:{DEFAULT_PORT}", show_default=True, metavar="HOST:PORT", help="The address to serve."
)
@_option("--advertise", type=GIVEN, metavar="HOST:PORT", help="The address others reach it at, if it is another one.")
@_option(
    "--peer",
    "peers",
    type=TEXT,
    multiple=True,
    metavar="HOST:PORT",
    help="A server to join; may be given several times.",
)
@_option(
    "--bootstrap-expect",
    type=click.IntRange(0, BOOTSTRAP_EXPECT_MAX),
    default=0,
    metavar="N",
    help="Start a cluster together with the N - 1 servers named by --peer, once all have answered.",
)
@_option(
    "--data-dir",
    type=FOLDER,
    default=DEFAULT_DATA_DIR,
    show_default=True,
    help="Where the server keeps what it must not forget.",
)
@_option("--key", "key_file", type=FILE, help="The cluster's key file.")
@_option("--insecure", is_flag=True, help="Listen beyond this machine without a key.")
@_option(
    "--http", type=GIVEN, metavar="HOST:PORT|off", help="Where HTTP listens; the port after --bind's if not given."
)
@_option("--http-tokens", type=FILE, help="HTTP asks for a bearer token of this file: tokens generate makes it.")
@_option(
    "--monitor-port", type=click.IntRange(0, 65_535), default=0, help="Serve the console on three ports from here."
)
@_option("--tag", "tags", type=TEXT, multiple=True, metavar="K=V", help="What other servers may know about this one.")
@_option(
    "--profile",
    type=click.Choice(PROFILES),
    metavar="|".join(PROFILES),
    help="Timing; local when bound to loopback, else lan.",
)
@_option(
    "--max-voters",
    type=click.IntRange(min=1),
    default=VOTERS_MAX_DEFAULT,
    show_default=True,
    help="Further servers wait as standbys.",
)
@_option(
    "--min-voters",
    type=click.IntRange(min=1),
    default=VOTERS_MIN_DEFAULT,
    show_default=True,
    help="No dead server is removed if fewer would vote.",
)
@_option(
    "--dead-server-timeout",
    type=click.FloatRange(min=0),
    default=DEAD_SERVER_TIMEOUT_DEFAULT_S,
    show_default="72 hours",
    metavar="SECONDS",
    help="When a server that has failed is removed from Raft; 0 for never.",
)
@_option(
    "--event-handler",
    "event_handlers",
    type=Line(),
    multiple=True,
    metavar="[FILTER=]COMMAND",
    help="Run a command on events, as in member-failed=/bin/alert or user:deploy='sh deploy.sh', without a filter on "
    "all of them; may be given several times (in the environment: one a line).",
)
@_option("--replay", is_flag=True, help="When joining, hear the latest user events too, not only those to come.")
@_option(
    "--app",
    type=GIVEN,
    metavar="MODULE:CLASS",
    help="The state machine, if it is not the key-value store: a class with the methods of quorate.StateMachine. The "
    "same on every server.",
)
@_option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="How much is logged.")
@_option("--log-format", type=click.Choice(FORMATS), default="text", show_default=True, help="json: an object a line.")
@_option("--fault-hooks", is_flag=True, hidden=True)
@config_option()
def start(tags: tuple[str, ...], **options: Any) -> None:
    """Run a server until it is stopped.

    Without --peer and with an empty data directory it starts a new cluster; with --peer it joins one.  With data it
    goes back to the cluster it knew, so the same line is right for every start.
    """
    given = {name: value for name, value in options.items() if value is not None}
    config = NodeConfig(tags=parse_tags(tags), **given)
    config.check()
    configure_logs(config.log_level, config.log_format)
    from actors.serving import run

    click.get_current_context().exit(asyncio.run(run(config)))
