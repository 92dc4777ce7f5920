"""One server as a process: its signals, its open files, its garbage collector, and what it prints first.

What lives here: what a process owes a server that is all there is in it.  What does not: the server (node.py), which a
program may also have beside other things, and the text (banner.py).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Final

from actors.banner import banner
from actors.node import Node
from transport.errors import QuorateError

if TYPE_CHECKING:
    from actors.config import NodeConfig

FILES_MIN: Final = 256
"""Open files: a server alone has about 40, a link to another server two, a connection of a client one."""
FILES_MAX: Final = 65_536

_log = logging.getLogger("quorate.node")


async def run(config: NodeConfig) -> int:
    """Run one server until it is stopped (SIGINT, SIGTERM, SIGHUP), has left, or gives up; returns the exit code.

    Raises QuorateError when it cannot start.
    """
    _raise_open_files()
    node = Node(config)
    loop = asyncio.get_running_loop()
    for number in _stopping():
        # Others know of this server before its start is over: it is stopped in order from its beginning on.
        loop.add_signal_handler(number, node.request_stop)
    await node.start()
    # What is there now stays: no use in looking for cycles among it again and again.
    gc.collect()
    gc.freeze()
    try:
        _say(banner(node.config, node.identity, node.remembered))
        return await node.wait()
    finally:
        await node.stop()


def _stopping() -> list[signal.Signals]:
    """The signals that ask for an orderly end: with the terminal, too, unless `nohup` was to keep it from that."""
    ends = [signal.SIGINT, signal.SIGTERM]
    return ends if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*ends, signal.SIGHUP]


def _raise_open_files() -> None:
    """Allow this process as many open files as the system lets it have: the usual 1,024 are soon used up by clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if wanted < FILES_MIN:
        raise QuorateError(
            f"this process may have {wanted} files open and a server needs {FILES_MIN}: raise its limit (ulimit -n)"
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(text: str) -> None:
    """Print; a server whose stdout goes nowhere, to a full disk say, serves all the same."""
    try:
        print(text, flush=True)
    except OSError as error:
        _log.warning("cannot print where this server is to be found: %s", error.strerror)
        # What could not be written would be tried again at the end, and turn the exit code into 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
