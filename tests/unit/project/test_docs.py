"""The README and the pages of docs/ are true: command lines are understood, links lead somewhere, programs run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from commands.root import root
from tests.ports import free_ports
from tests.unit.project.running import said
from tests.unit.project.sources import ROOT, name

README = ROOT / "README.md"
PAGES = {path: path.read_text("utf-8") for path in (README, *sorted((ROOT / "docs").glob("*.md")))}
LINES = [
    (name(page), line)
    for page, text in PAGES.items()
    for line in re.findall(r"^\$ python cli\.py (.+?)(?: \| .*| \\)?$", text, re.MULTILINE)
]


def programs(page: str) -> list[str]:
    """The Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", PAGES[ROOT / page], re.MULTILINE | re.DOTALL)


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


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that is in it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings], link


def test_every_target_is_in_the_makefile() -> None:
    """`make demo`, `make test` and whatever else is promised."""
    named = {
        target
        for text in PAGES.values()
        for pair in re.findall(r"`make\s+([a-z-]+)[^`]*`|^\$ make ([a-z-]+)", text, re.MULTILINE)
        for target in pair
        if target
    }

    assert named - set(re.findall("^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)) == set()


def test_every_command_is_in_the_readme() -> None:
    """A command nobody is told of is not there for most people."""
    assert [name for name in root.list_commands(click.Context(root)) if f"`{name}" not in PAGES[README]] == []


def test_the_client_of_the_readme_is_python(tmp_path: Path) -> None:
    """What is shown compiles, and what it imports is there."""
    for program in programs("README.md"):
        compile(program, "README.md", "exec")
        said("\n".join(re.findall(r"^from quorate import .+$", program, re.MULTILINE)), tmp_path)


def test_the_program_with_a_server_inside(tmp_path: Path) -> None:
    """It is whole, it is short, and it finds its state again."""
    (program,) = programs("docs/embedding.md")
    assert len([line for line in program.splitlines() if line.strip()]) < 30
    program = program.replace("7976", str(free_ports(1)))

    assert said(program, tmp_path) == "b'you are number 1'\nb'ann'\n"
    assert said(program, tmp_path) == "b'you are number 2'\nb'ann, ann'\n"
