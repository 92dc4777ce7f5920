"""Odd ends of a command's pipes, and Ctrl-C at an odd moment: one line or none, and the right exit code."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.unit.project.sources import ROOT


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $Q is the command line of Quorate."""
    return subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env={"Q": f"{sys.executable} cli.py"}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", ["kv put x - <&-", "kv put x - 0>/dev/null", "restore - <&-"])
def test_nothing_to_read_from(command: str) -> None:
    """A stdin that is closed, or that cannot be read."""
    done = shell(f"$Q {command}")

    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert "stdin" in done.stderr


def test_no_file_to_read_from() -> None:
    """A closed stdin is as wrong a FILE as one that does not exist."""
    done = shell("$Q kv txn - <&-")

    assert done.returncode == 2
    assert "'FILE': there is no stdin to read from: it is closed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("buffering", ["", "PYTHONUNBUFFERED=1"])
@pytest.mark.parametrize("command", ["version", "version --format json", "--help"])
def test_a_full_disk_behind_stdout(command: str, buffering: str) -> None:
    """One line that says so, and nothing at the end of the process."""
    done = shell(f"{buffering} $Q {command} >/dev/full")

    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: No space left on device\n")


def test_a_reader_that_has_seen_enough() -> None:
    """`| head` is no error to speak of."""
    done = shell("$Q --help | true")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["version", "status", "start"])
def test_a_python_without_the_dependencies(command: str) -> None:
    """Outside the virtual environment: one line with the way into it."""
    line = f"{sys.executable} -S -E cli.py {command}"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "click is not installed" in done.stderr
    assert "make setup" in done.stderr


def test_ctrl_c_during_the_imports() -> None:
    """No traceback of whatever was being imported: nothing, and 130."""
    script = (
        "import os, signal, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'commands.root':\n"
        f"            os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
