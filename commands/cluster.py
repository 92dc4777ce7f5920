"""`cluster`: a whole cluster on this machine, one process a server, for trying things out and for tests.

What lives here: the commands, their options and tables. What does not: processes and their record (local_cluster.py)
and waiting (cluster_wait.py).
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from actors.config import DEFAULT_PORT, VOTERS_MAX_DEFAULT
from actors.views import table
from commands.cluster_wait import Look, wait_until_they_agree
from commands.local_cluster import SERVERS_MAX, LocalCluster, LocalClusterError, LocalServer
from commands.options import GIVEN, Seconds, environment, format_option, to_json
from commands.paths import FILE, FOLDER
from transport.client.sync_client import SyncClient
from transport.keys import ClusterKey, load

DEFAULT_FOLDER = "local-cluster"
AGREE_TIMEOUT_S = 30.0
FAULT_TIMEOUT_S = 2.0

folder_option = click.option(
    "--data-dir",
    "folder",
    type=FOLDER,
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The cluster's folder: its record, its servers' data and logs.",
)


@click.group()
def cluster() -> None:
    """Run a local cluster: one process a server, on this machine.

    Server I (counted from 0) uses port P + 10·I, HTTP one above it, and its console the three ports above that.
    """


@cluster.command()
@click.argument("count", type=click.IntRange(1, SERVERS_MAX))
@folder_option
@click.option("--base-port", type=click.IntRange(1), help=f"Server 0's port.  [default: {DEFAULT_PORT}]")
@click.option("--monitor/--no-monitor", default=None, help="Give each server its aiomonitor console.")
@click.option("--max-voters", type=click.IntRange(1), help=f"See 'start'.  [default: {VOTERS_MAX_DEFAULT}]")
@click.option(
    "--key",
    type=FILE,
    envvar=environment("--key"),
    help="The cluster key; see 'keys generate'.",
)
@click.option("--app", type=GIVEN, metavar="MODULE:CLASS", help="The state machine; see 'start'.")
@click.option("--log-level", help="How much the servers' logs say.  [default: info]")
@click.option("--timeout", type=Seconds(), default=AGREE_TIMEOUT_S, show_default=True, help="Seconds to wait.")
@format_option
def up(count: int, folder: Path, timeout: float, form: str, key: Path | None, **chosen: Any) -> None:
    """Start the servers 0 to COUNT - 1 that do not run, wait until all agree, and leave them running.

    Run it again to start servers that were killed, or with a larger COUNT to add some; what was chosen the first time
    stays chosen.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    if key is not None:
        given["key"] = str(key.resolve())
    with LocalCluster(folder).locked(create=True) as local:
        settings = msgspec.structs.replace(local.settings, **given)
        local.up(count, settings)
    look = Look(key_of(local))
    wait_until_they_agree(local, look, min(count, settings.max_voters), timeout)
    show(local, look, form)


@cluster.command()
@folder_option
def down(folder: Path) -> None:
    """Stop the servers of this cluster, and nothing else. Their data stays; 'up' starts them again."""
    with LocalCluster(folder).locked() as local:
        stopped = local.down()
    click.echo(f"stopped {names(stopped)}" if stopped else "nothing was running", err=True)


@cluster.command()
@folder_option
@format_option
def status(folder: Path, form: str) -> None:
    """Show the servers, their processes and what they say of themselves."""
    local = LocalCluster(folder).read()
    show(local, Look(key_of(local)), form)


@cluster.command()
@click.argument("server")
@folder_option
def kill(server: str, folder: Path) -> None:
    """End a server with SIGKILL, as a power cut would. SERVER is its number or its name."""
    with LocalCluster(folder).locked() as local:
        chosen = local.server(server)
        local.kill(chosen)
    click.echo(f"killed {chosen.name}", err=True)


@cluster.command()
@click.argument("server")
@folder_option
def pause(server: str, folder: Path) -> None:
    """Stop a server with SIGSTOP: its process is there, and does nothing."""
    send(folder, server, signal.SIGSTOP)


@cluster.command()
@click.argument("server")
@folder_option
def resume(server: str, folder: Path) -> None:
    """Let a paused server go on."""
    send(folder, server, signal.SIGCONT)


@cluster.command()
@click.argument("servers", metavar="A,B")
@click.option("--one-way", is_flag=True, help="Lose only what A sends to B.")
@folder_option
def partition(servers: str, one_way: bool, folder: Path) -> None:
    """Cut the link between the servers A and B; join several to a side with '+', as in 0,1+2."""
    local = LocalCluster(folder).read()
    sides = [[local.server(name) for name in side.split("+")] for side in servers.split(",")]
    if len(sides) != 2 or any(server in sides[1] for server in sides[0]):
        raise click.BadParameter(f"{servers!r} names no two sides: write A,B, or A,B+C", param_hint="A,B")
    for one in sides[0]:
        for other in sides[1]:
            # Each end drops on its own: what it would send, and what still reaches it.
            tell(local, one, "fault.cut", {"address": other.address, "inbound": not one_way, "outbound": True})
            tell(local, other, "fault.cut", {"address": one.address, "inbound": True, "outbound": not one_way})
    arrow = "->" if one_way else "<->"
    click.echo(f"cut {names(sides[0])} {arrow} {names(sides[1])}; 'cluster heal' mends it", err=True)


@cluster.command()
@folder_option
def heal(folder: Path) -> None:
    """Mend every cut link."""
    local = LocalCluster(folder).read()
    running = local.running()
    for server in running:
        tell(local, server, "fault.heal", {})
    click.echo(f"healed {names(running)}", err=True)
    paused = [server for server in local.servers if server.state == "paused"]
    if paused:
        click.echo(f"{names(paused)} cannot hear of it while paused: heal again after 'cluster resume'", err=True)


def send(folder: Path, server: str, number: signal.Signals) -> None:
    """Signal one server of the cluster."""
    with LocalCluster(folder).locked() as local:
        chosen = local.server(server)
        local.signal(chosen, number)
    click.echo(f"{'paused' if number == signal.SIGSTOP else 'resumed'} {chosen.name}", err=True)


def tell(local: LocalCluster, server: LocalServer, op: str, arguments: Mapping[str, Any]) -> None:
    """Ask one server for a fault. Raises a LocalClusterError or a ClientError when it is not done."""
    if server.state != "running":
        raise LocalClusterError(f"{server.name} is {server.state}: only a running server can cut its links")
    with SyncClient(server.address, key=key_of(local), timeout_s=FAULT_TIMEOUT_S) as client:
        client.call(op, arguments)


def key_of(local: LocalCluster) -> ClusterKey | None:
    """The key the servers were started with."""
    return load(local.settings.key) if local.settings.key else None


def names(servers: Sequence[LocalServer]) -> str:
    """The servers in a sentence."""
    return ", ".join(server.name for server in servers) or "no server"


def show(local: LocalCluster, look: Look, form: str) -> None:
    """Print the servers, one a row."""
    found = rows(local, look)
    if form == "table":
        click.echo(cluster_view(found))
    elif form == "json":
        click.echo(to_json(found, indent=2))
    else:
        for row in found:
            click.echo(to_json(row))
    for name, trouble in look.troubles.items():
        click.echo(f"{name} does not answer: {trouble}", err=True)


def rows(local: LocalCluster, look: Look) -> list[dict[str, Any]]:
    """One row a server, for the table and for scripts: where it is, how it is, what it says of itself."""
    found = []
    for server in local.servers:
        said = look(server) or {}
        found.append(
            {
                "index": server.index,
                "name": server.name,
                "address": server.address,
                "http": server.http,
                "monitor_port": server.monitor_port if local.settings.monitor else None,
                "pid": server.process.pid if server.process and server.state != "stopped" else None,
                "state": server.state,
                "role": said.get("role"),
                "leader": said.get("leader"),
                "term": said.get("term"),
                "data_dir": str(local.data_dir(server)),
                "log": str(local.log(server)),
            }
        )
    return found


def cluster_view(found: Iterable[Mapping[str, Any]]) -> str:
    """The rows as a table."""
    headers = ("SERVER", "NAME", "ADDRESS", "HTTP", "CONSOLE", "PID", "STATE", "ROLE", "TERM")
    keys = ("index", "name", "address", "http", "monitor_port", "pid", "state", "role", "term")
    return table(headers, ([row[key] for key in keys] for row in found))
