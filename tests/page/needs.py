"""What these tests need besides Python, and a clear word when it is missing.  Nothing is installed from here."""

from __future__ import annotations

import shutil
import sys

PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}
"""Debian's package of each program."""


def missing() -> str:
    """What is not there and how to get it, in a line; "" when all is there."""
    programs = [program for program in PACKAGES if shutil.which(program) is None]
    if not programs:
        return ""
    packages = " ".join(PACKAGES[program] for program in programs)
    return (
        f"the status page is tested in Chromium, and {' and '.join(programs)} "
        f"{'are' if len(programs) > 1 else 'is'} not installed; on Debian: apt-get install {packages}"
    )


if __name__ == "__main__":
    sys.exit(missing() or None)
