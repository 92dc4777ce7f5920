"""A stdout that cannot be written to: a full disk behind it, or a reader that has seen enough.

What lives here: telling such an error from a bug, and ending well in spite of it.  What does not: what is printed.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from errno import EBADF, EDQUOT, EFBIG, EIO, ENOSPC, EPIPE
from typing import Final

import click

EXIT_FAILED: Final = 1

_OUTPUT_ERRORS: Final = frozenset({EBADF, EDQUOT, EFBIG, EIO, ENOSPC, EPIPE})
"""What a write to a file that was opened long ago may end with."""


def is_output_lost(error: OSError) -> bool:
    """Whether the error is about output; any other that nobody has explained is a bug."""
    return error.filename is None and error.errno in _OUTPUT_ERRORS


def output_lost(error: OSError) -> int:
    """Say so in one line, unless the reader has gone, and drop what stdout still holds; returns the exit code."""
    # What could not be written is not to be tried again at the end of the process.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    if error.errno != EPIPE:
        with suppress(OSError):
            click.echo(f"error: cannot write the output: {error.strerror}", err=True)
    return EXIT_FAILED
