"""What the examples have in common: three processes on this machine that make one cluster, and end with the example."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

COUNT = 3
FIRST_PORT, LAST_PORT = 20_000, 32_000
LOG_LINES = 15
PATIENCE_S = 60.0
"""Long: on a busy machine the examples are slow, and no failure."""
PERIOD_S = 0.05


class ThreeServers:
    """`options(server)` makes a command line of what all need; a `with` starts them, and ends them whatever happens."""

    def __init__(self, *command: str, options: Callable[[int], list[str]] = lambda _: []) -> None:
        self._command = command
        self._options = options
        self._stack = ExitStack()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._folder = Path()
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(COUNT)]

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="quorate-example-")))
        for server in range(COUNT):
            self.start(server)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for server, process in self._processes.items():
            process.kill()
            process.wait()
            if kind is not None:
                lines = self._log(server).read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
                print(f"--- server {server} said last:", *lines, sep="\n", file=sys.stderr)
        self._stack.close()

    def start(self, server: int) -> None:
        """Start a server, with the same command line each time: the three found one cluster, once."""
        own, *others = self.addresses[server:] + self.addresses[:server]
        peers = [word for address in others for word in ("--peer", address)]
        line = [*self._command, "--bind", own, *peers, "--data-dir", str(self._folder / f"server-{server}")]
        self._processes[server] = start_process(*line, *self._options(server), log=self._log(server))

    def kill(self, server: int) -> None:
        """What a power cut does."""
        self._processes[server].send_signal(signal.SIGKILL)
        self._processes[server].wait()

    def _log(self, server: int) -> Path:
        return self._folder / f"server-{server}.log"


def quorate_servers(*options: str) -> ThreeServers:
    """Three servers of the command `start`."""
    return ThreeServers(
        "-m", "quorate", "start", "--bootstrap-expect", str(COUNT), "--http", "off", "--log-level", "warning", *options
    )


def start_process(*arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """Run Python with these arguments, from the folder that holds `examples`."""
    root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=root,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is seen to hold.  Raises TimeoutError after PATIENCE_S."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await holds():
                return
            await asyncio.sleep(PERIOD_S)


def free_port() -> int:
    """A port nobody has, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(FIRST_PORT, LAST_PORT)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
