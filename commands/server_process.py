"""One server's process on this machine, as a tool outside it sees it: start, recognise, signal.

A process id alone may belong to somebody else by the time it is used: the kernel gives it out again. So a process is
known by its id, its start time and the boot of the machine, and signals go through a pidfd that was opened before the
start time was compared. What the server does is no business of this module. Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from actors.program import IS_INSTALLED
from commands.options import ENVIRONMENT

_STATE_FIELD = 0
_START_FIELD = 19
_DEAD_STATES = "ZX"
_STOPPED_STATES = "Tt"


class Process(msgspec.Struct, frozen=True):
    """A process that no other can be taken for: `started` is the boot's id and the start time in clock ticks."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether this very process still runs (a paused one does, one that only waits to be reaped does not)."""
        fields = _stat(self.pid)
        return fields is not None and fields[_STATE_FIELD] not in _DEAD_STATES and _started(fields) == self.started

    def is_paused(self) -> bool:
        """Whether this process is stopped by SIGSTOP."""
        fields = _stat(self.pid)
        return fields is not None and fields[_STATE_FIELD] in _STOPPED_STATES and _started(fields) == self.started

    def send_signal(self, number: signal.Signals) -> bool:
        """Signal this very process; False when it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            # The handle was opened first: if the start time is right now, the handle is of this process.
            if not self.is_alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait(self, timeout_s: float) -> bool:
        """Wait until this process has ended; False when it still runs after `timeout_s`."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return True
        try:
            if not self.is_alive():
                return True
            ended, _, _ = select.select([handle], [], [], timeout_s)
            return bool(ended)
        finally:
            os.close(handle)


def spawn_server(arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start `quorate start ARGUMENTS` in a session of its own, so that it outlives this command and its terminal.

    Its output is appended to `log`. `environment` is added to this process's own, less what Quorate itself reads: the
    settings of a user's shell are for one server, not for each of several.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT)}
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*_program(), "start", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**inherited, **environment},
        )
    # The server is meant to outlive this process, which therefore never waits for it as a parent would.
    child.returncode = 0
    process = identify(child.pid)
    assert process is not None, "a child that was not waited for keeps its entry in /proc"
    return process


def identify(pid: int) -> Process | None:
    """The process that has this id now, or None."""
    fields = _stat(pid)
    return None if fields is None else Process(pid, _started(fields))


def _program() -> list[str]:
    """The command that runs this very code: the installed package, or the checkout's cli.py."""
    if IS_INSTALLED:
        return [sys.executable, "-P", "-m", "quorate"]
    return [sys.executable, str(Path(__file__).resolve().parents[1] / "cli.py")]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the process's state on (proc(5)), or None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may hold anything, parentheses and blanks too.
    return text.rpartition(")")[2].split()


def _started(fields: list[str]) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot}:{fields[_START_FIELD]}"
