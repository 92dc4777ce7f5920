"""The README says what is so: its command lines are understood, and its examples run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from commands.root import root
from tests.ports import free_ports
from tests.unit.project.sources import ROOT

README = (ROOT / "README.md").read_text("utf-8")
RUN_TIMEOUT_S = 30

COMMAND_LINES = re.findall(r"^\$ python cli\.py (.+)$", README, re.MULTILINE)
MAKE_TARGETS = set(re.findall(r"`make (\w+)`|^\$ make (\w+)", README, re.MULTILINE))
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_command_line_of_the_readme_is_understood(line: str) -> None:
    """Every command exists, and takes the options and arguments that the README gives it."""
    command: click.Command = root
    context = root.make_context("cli.py", shlex.split(line, comments=True))
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
        context = command.make_context(name, rest, parent=context)


def test_every_target_of_the_readme_is_in_the_makefile() -> None:
    """`make demo`, `make test` and whatever else is promised."""
    makefile = (ROOT / "Makefile").read_text("utf-8")

    missing = [target for pair in MAKE_TARGETS for target in pair if target and f"\n{target}:" not in makefile]

    assert missing == []


def test_every_file_of_the_readme_exists() -> None:
    """Links within the project lead somewhere."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_is_in_the_readme() -> None:
    """A command nobody is told of is not there for most people."""
    assert [name for name in root.list_commands(click.Context(root)) if f"`{name}" not in README] == []


def test_the_client_of_the_readme_is_python() -> None:
    """What is shown compiles, and what it imports is there."""
    for block in PYTHON_BLOCKS:
        compile(block, "README.md", "exec")
        for imported in re.findall(r"^from quorate import (.+)$", block, re.MULTILINE):
            subprocess.run([sys.executable, "-c", f"from quorate import {imported}"], cwd=ROOT, check=True)


def test_the_example_counts_and_remembers(tmp_path: Path) -> None:
    """examples/counter.py runs a server with a state machine of its own, and finds its state again."""
    source = (ROOT / "examples" / "counter.py").read_text("utf-8")
    example = tmp_path / "counter.py"
    example.write_text(source.replace("7976", str(free_ports(1))), "utf-8")

    said = [
        subprocess.run(
            [sys.executable, example],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=RUN_TIMEOUT_S,
        ).stdout
        for _ in range(2)
    ]

    assert said == ["after a write: 7\nread back: 7\n", "after a write: 14\nread back: 14\n"]
