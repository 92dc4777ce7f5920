"""Paths on the command line, in the environment and in configuration files.

What lives here: their types for click.  What does not: opening them, but for what a command reads whole.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    PathType = click.Path[Path]
else:
    # Older releases of click have no types to be told.
    PathType = click.Path

STDIO: Final = "-"
"""In the place of a path: stdin or stdout."""


class GivenPath(PathType):
    """A path that is not empty: an empty one would be the current folder, and was a variable that was not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or the usage error."""
        if not os.fspath(value):
            self.fail("an empty path: name one, or leave it out", param, ctx)
        return super().convert(value, param, ctx)


class InputFile(click.File):
    """A file opened to read bytes; - is stdin, which has to be there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The open file, or the usage error."""
        if value == STDIO and sys.stdin is None:
            self.fail("there is no stdin to read from: it is closed", param, ctx)
        return super().convert(value, param, ctx)


class OutputPath(GivenPath):
    """Where bytes go that are not for eyes: - is stdout, unless that is a terminal."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or the usage error."""
        path = super().convert(value, param, ctx)
        if path == STDIO and (sys.stdout is None or sys.stdout.isatty()):
            self.fail("what it writes is not for a terminal: name a file, or send it through a pipe", param, ctx)
        return path


FILE: Final = GivenPath(dir_okay=False, path_type=Path)
FOLDER: Final = GivenPath(file_okay=False, path_type=Path)
FOLDER_THAT_EXISTS: Final = GivenPath(exists=True, file_okay=False, path_type=Path)
INPUT: Final = GivenPath(dir_okay=False, allow_dash=True)
OUTPUT: Final = OutputPath(dir_okay=False, allow_dash=True)
OPENED: Final = InputFile("rb")
