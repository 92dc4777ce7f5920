"""The console's commands: what a server answers, typed at aiomonitor's prompt.

What lives here: a monitor that knows its server, and one command for each question. Imports aiomonitor, which costs a
third of a second: only the console actor imports this module, and only when a console was asked for. What does not:
the answers (the gateway's) and their look (views.py).

Rules, each the cure of something that was seen:
1. The commands run in aiomonitor's thread. They never touch the server's state: they hop to its loop, with a time
   limit, so that the console answers also while that loop is blocked.
2. A command always says that it is finished, or the console would hang: `on_server` does.
3. Enter on an empty line repeats the last command. So `kill-actor` names an incarnation: repeated, it does nothing.
4. aiomonitor's command group is global to the process. The commands are added once and find their server in the
   context, so that several servers in one process do not answer for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from functools import wraps
from typing import Any, cast

import click
from aiomonitor import Monitor, monitor_cli
from aiomonitor.context import command_done, current_monitor
from aiomonitor.termui.commands import auto_async_command_done, custom_help_option, print_fail

from actors.runtime.asks import AskError
from actors.views import actors_view, dead_letters_view, list_view, members_view, peers_view, status_view
from transport.errors import QuorateError

ANSWER_TIMEOUT_S = 2.0
COMPLETION_TIMEOUT_S = 0.5

Operate = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""An operation of the gateway by its name, with its arguments; to be called on the server's loop."""

Ask = Callable[..., Awaitable[str]]


class NodeMonitor(Monitor):
    """aiomonitor for one server, at three ports in a row, without its Python prompt."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: str, host: str, first_port: int, operate: Operate
    ) -> None:
        super().__init__(
            loop,
            host=host,
            termui_port=first_port,
            webui_port=first_port + 1,
            console_port=first_port + 2,
            console_enabled=False,
        )
        self.prompt = f"{server} >>> "
        self._operate = operate
        register_commands()

    def on_server_loop(self, op: str, arguments: Mapping[str, Any]) -> Future[Any]:
        """Run an operation on the server's loop, from any thread."""

        async def run() -> Any:
            return await self._operate(op, arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._monitored_loop)

    async def answer(self, op: str, **arguments: Any) -> Any:
        """The answer to an operation, for the console's own loop. Raises TimeoutError when the server is too busy."""
        return await asyncio.wait_for(asyncio.wrap_future(self.on_server_loop(op, arguments)), ANSWER_TIMEOUT_S)


def on_server(ask: Ask) -> Callable[..., None]:
    """Make a command of a coroutine that asks the server and returns what to print."""

    @auto_async_command_done
    async def print_answer(context: click.Context, arguments: Mapping[str, Any]) -> None:
        try:
            click.echo(await ask(context.obj, **arguments))
        except TimeoutError:
            print_fail(f"the server did not answer within {ANSWER_TIMEOUT_S:g} s; 'stacktrace' shows what it is doing")
        except (QuorateError, AskError) as error:
            print_fail(str(error))

    @wraps(ask)
    def command(context: click.Context, **arguments: Any) -> None:
        monitor = cast("NodeMonitor", context.obj)
        # The help option has set it while the line was parsed, and the prompt would come before the answer.
        command_done.get().clear()
        monitor._termui_tasks.add(monitor._ui_loop.create_task(print_answer(context, arguments)))

    return command


def complete_actor(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The actors as NAME@INCARNATION; nothing when the server is too busy to say."""
    monitor = cast("NodeMonitor | None", current_monitor.get(None))
    if monitor is None:
        return []
    try:
        rows = monitor.on_server_loop("actors.list", {}).result(COMPLETION_TIMEOUT_S)
    except (TimeoutError, QuorateError, AskError):
        return []
    names = [f"{row['name']}@{row['incarnation']}" for row in rows]
    return [name for name in names if name.startswith(incomplete)]


async def members(monitor: NodeMonitor) -> str:
    """Show the members as gossip sees them"""
    return members_view(await monitor.answer("members"))


async def raft(monitor: NodeMonitor) -> str:
    """Show this server's role, the leader and the Raft configuration"""
    status, peers = await asyncio.gather(monitor.answer("status"), monitor.answer("raft.peers"))
    return f"{status_view(status)}\n\n{peers_view(peers)}"


async def actors(monitor: NodeMonitor) -> str:
    """Show the actors with their incarnations"""
    return actors_view(await monitor.answer("actors.list"))


async def mailboxes(monitor: NodeMonitor) -> str:
    """Show how full the mailboxes are"""
    return list_view(await monitor.answer("actors.mailboxes"))


async def dead_letters(monitor: NodeMonitor) -> str:
    """Show what could not be delivered"""
    return dead_letters_view(await monitor.answer("actors.dead_letters"))


async def kill_actor(monitor: NodeMonitor, target: str) -> str:
    """Kill one incarnation of an actor, NAME@INCARNATION; its supervisor starts the next"""
    return str((await monitor.answer("actors.kill", target=target))["result"])


def register_commands() -> None:
    """Add the commands to aiomonitor's, once a process."""
    for name, ask in {"members": members, "raft": raft, "actors": actors, "mailboxes": mailboxes}.items():
        _register(name, ask)
    _register("dead-letters", dead_letters)
    _register("kill-actor", click.argument("target", shell_complete=complete_actor)(kill_actor))


def _register(name: str, ask: Ask) -> None:
    if name not in monitor_cli.commands:
        # wraps() hands the arguments that click.argument noted on the coroutine on to the command.
        monitor_cli.command(name=name)(custom_help_option(on_server(ask)))
