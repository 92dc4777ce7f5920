"""The console: aiomonitor beside the server, for people who want to look inside while it runs.

What lives here: the actor that starts and stops it. What does not: whether its ports can be had (console_ports.py), the
commands (console_commands.py) and how their answers look (views.py); those are shared with the command line.

aiomonitor runs in a thread with an event loop of its own, costs a third of a second to import, and takes three ports:
its telnet server, its web page, and a Python prompt. The prompt is off; its port is checked all the same, since a later
release may bind it. Whoever reaches the ports can cancel tasks and send signals to this process, so the console listens
on loopback and only when it is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from actors.console_ports import CONSOLE_HOST, check_console_ports
from actors.gateway.messages import AdminForward
from actors.program import PROGRAM
from actors.runtime.actor import Actor, Context
from transport.client.protocol import Code, Response, decode_payload, encode_payload
from transport.errors import QuorateError

if TYPE_CHECKING:
    from actors.console_commands import NodeMonitor

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 4.0
OPERATION_TIMEOUT_S = 2.0

T = TypeVar("T")

log = logging.getLogger("quorate.console")


class ConsoleActor(Actor):
    """Owns the console's thread. Its crash or restart touches nothing but the console."""

    def __init__(self, context: Context, server: str, first_port: int) -> None:
        super().__init__(context)
        self._server = server
        self._first_port = first_port
        self._monitor: NodeMonitor | None = None

    async def on_start(self) -> None:
        """Start the console; its address goes to the log. Raises ConsoleError when a port is taken."""
        check_console_ports(self._first_port)
        monitor = await in_thread(self._make_monitor, asyncio.get_running_loop(), timeout_s=START_TIMEOUT_S)
        await in_thread(monitor.start, timeout_s=START_TIMEOUT_S)
        # `stacktrace` shows the thread that called start(); the one to show is that of the server's loop.
        monitor._event_loop_thread_id = threading.get_ident()
        self._monitor = monitor
        log.info(
            "console: %s console --monitor-port %d (web page: http://%s:%d)",
            PROGRAM,
            self._first_port,
            CONSOLE_HOST,
            self._first_port + 1,
        )

    async def on_stop(self) -> None:
        """Close the console's ports and end its thread."""
        if self._monitor is not None:
            # Not on this loop: a command in progress waits for it, and the console's thread for that command.
            await in_thread(self._monitor.close, timeout_s=STOP_TIMEOUT_S)
            self._monitor = None

    async def operate(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """Ask the gateway what a client would ask it. Raises QuorateError with the gateway's words when it says no."""
        request = AdminForward(op, encode_payload(dict(arguments)), round(OPERATION_TIMEOUT_S * 1000))
        answer: Response = await self.context.ref("gateway").ask(request, timeout_s=OPERATION_TIMEOUT_S)
        if answer.code != Code.OK:
            raise QuorateError(answer.message or answer.code)
        return decode_payload(answer.payload)

    def _make_monitor(self, loop: asyncio.AbstractEventLoop) -> NodeMonitor:
        # Imported here and in a thread: it takes a third of a second, which the server's loop has not got.
        from actors.console_commands import NodeMonitor

        return NodeMonitor(loop, self._server, CONSOLE_HOST, self._first_port, self.operate)


async def in_thread(function: Callable[..., T], *args: Any, timeout_s: float) -> T:
    """Run a function that blocks, in a daemon thread. Raises TimeoutError when it does not come back in time.

    Not the loop's executor: that one is joined at the end of the process, and a console that hangs must not hold it up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", result))

    def run() -> None:
        result, failure = None, None
        try:
            result = function(*args)
        except Exception as error:
            failure = error
        # A loop that is closed by now has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="console", daemon=True).start()
    return await asyncio.wait_for(done, timeout_s)
