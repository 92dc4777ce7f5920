"""The pages in docs/ say what is so: command lines are understood, links lead somewhere, programs run."""

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

RUN_TIMEOUT_S = 30

PAGES = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
LINES = [
    (page, line)
    for page, text in PAGES.items()
    for line in re.findall(r"^\$ python cli\.py (.+?)(?: \| .*| \\)?$", text, re.MULTILINE)
]


def programs(page: str) -> list[str]:
    """The Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def said(program: str, folder: Path) -> str:
    """What a program prints."""
    file = folder / "program.py"
    file.write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, file],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_line_is_understood(page: str, line: str) -> None:
    """Every command exists, and takes the options and arguments that the page gives it."""
    command: click.Command = root
    context = root.make_context("cli.py", shlex.split(line, comments=True))
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page: str) -> None:
    """To a file that is there, and to a heading that is in it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = ROOT / "docs" / file if file else ROOT / "docs" / page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings], link


def test_the_program_with_a_server_inside(tmp_path: Path) -> None:
    """It is whole, it is short, and it finds its state again."""
    (program,) = programs("embedding.md")
    assert len([line for line in program.splitlines() if line.strip()]) < 30
    program = program.replace("7976", str(free_ports(1)))

    assert said(program, tmp_path) == "b'you are number 1'\nb'ann'\n"
    assert said(program, tmp_path) == "b'you are number 2'\nb'ann, ann'\n"
