"""Server processes of a benchmark: started, signalled, and ended with whoever started them.

Quorate's own servers are run by commands/local_cluster.py, as its users run them, unless there is to be a probe inside.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

STOP_TIMEOUT_S = 10.0
_LAST_CHARACTERS = 600


class FleetError(Exception):
    """A server is not what it should be.  The message has the end of its log."""


class Fleet:
    """Server i runs the i-th command; what it prints goes to a file in `folder`."""

    def __init__(self, folder: Path, commands: Sequence[Sequence[str]]) -> None:
        self._folder = folder
        self._commands = commands
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * len(commands)

    def start(self) -> None:
        """Start every server that does not run."""
        for index in range(len(self._processes)):
            self.start_one(index)

    def start_one(self, index: int) -> None:
        """Start a server if it does not run."""
        process = self._processes[index]
        if process is None or process.poll() is not None:
            self._processes[index] = self._spawn(index)

    def stop(self) -> None:
        """End every server; one that ignores SIGTERM is killed."""
        running = [process for process in self._processes if process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
        for process in running:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def pids(self) -> list[int]:
        """The process of each server.  Raises FleetError when one has ended."""
        return [self.process(index).pid for index in range(len(self._processes))]

    def runs(self, index: int) -> bool:
        """Whether a server was started and has not ended."""
        process = self._processes[index]
        return process is not None and process.poll() is None

    def process(self, index: int) -> subprocess.Popen[bytes]:
        """A server that runs.  Raises FleetError when it does not."""
        process = self._processes[index]
        if process is None or process.poll() is not None:
            raise FleetError(
                f"server {index} has ended; its log says:\n{self._log(index).read_text()[-_LAST_CHARACTERS:]}"
            )
        return process

    def signal(self, index: int, number: signal.Signals) -> None:
        """Signal a server; after SIGKILL, wait until it is gone."""
        process = self.process(index)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()

    def _spawn(self, index: int) -> subprocess.Popen[bytes]:
        with self._log(index).open("ab") as log:
            return subprocess.Popen(self._commands[index], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _log(self, index: int) -> Path:
        return self._folder / f"server-{index}.log"
