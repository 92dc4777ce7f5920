"""A process is only ever signalled when it is the one that was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from commands.server_process import Process, identify

WAIT_S = 10.0


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that says it is there and waits until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; print('ready', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    with process:
        yield process
        process.kill()


def test_a_process_is_known_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    """Alive while it runs, dead as soon as it has ended, even before its parent has waited for it."""
    process = identify(child.pid)
    assert process is not None
    assert process.is_alive()

    assert process.send_signal(signal.SIGKILL)

    assert process.wait(WAIT_S)
    assert not process.is_alive()
    assert not process.send_signal(signal.SIGKILL)


def test_waiting_for_a_process_that_runs_gives_up(child: subprocess.Popen[bytes]) -> None:
    """A wait ends with its time-out and says that the process is still there."""
    process = identify(child.pid)

    assert process is not None
    assert process.wait(0.0) is False


def test_another_process_of_the_same_id_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    """The kernel gives process ids out again: one that started at another time is somebody else."""
    recorded = identify(child.pid)
    assert recorded is not None
    somebody_else = Process(child.pid, "an earlier boot:1")

    assert not somebody_else.is_alive()
    assert somebody_else.send_signal(signal.SIGKILL) is False
    assert somebody_else.wait(0.0) is True
    assert recorded.is_alive()


def test_a_paused_process_is_alive_and_paused(child: subprocess.Popen[bytes]) -> None:
    """SIGSTOP and SIGCONT show in the state."""
    process = identify(child.pid)
    assert process is not None
    assert not process.is_paused()

    process.send_signal(signal.SIGSTOP)
    # A parent is told when its child has stopped: no need to look again and again.
    assert wait_for_stop(child.pid) == signal.SIGSTOP

    assert process.is_paused()
    assert process.is_alive()


def wait_for_stop(pid: int) -> int:
    """Wait until a child has stopped; the signal that stopped it."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    return os.WSTOPSIG(status)


def test_no_process_has_no_identity() -> None:
    """A process id nobody has is nobody."""
    assert identify(2**22 + 1) is None
