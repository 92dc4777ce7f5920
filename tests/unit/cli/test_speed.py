"""A command answers within 0.3 s: it imports no event loop, no web framework, no console and no engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.project.sources import ROOT

HEAVY = ("aiohttp", "aiomonitor", "asyncio", "multiprocessing", "pysyncobj", "rich", "sqlite3", "tenacity")


@pytest.mark.parametrize("command", ["members", "status", "kv get a", "raft peers", "actors list"])
def test_a_command_imports_nothing_heavy(command: str) -> None:
    """All the way to the connection that is refused."""
    script = (
        "import sys\n"
        "from cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        f"    print([name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command.split(), "--address", "127.0.0.1:1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (3, "[]\n"), done.stderr
