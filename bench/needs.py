"""What a comparison needs besides Python, and a clear word when it is missing.  Nothing is installed from here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

PACKAGES = {"etcd": "etcd-server", "h2load": "nghttp2-client", "serf": "serf"}
"""Debian's package of each program."""

COMPARE = ("etcd", "h2load")
"""The programs that the comparison of loads needs."""


def require(programs: Sequence[str]) -> None:
    """End this process with a line on what to install, unless all programs are there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(PACKAGES[program] for program in missing)
        sys.exit(
            f"the comparison needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed; "
            f"on Debian or Ubuntu: apt-get install {packages}"
        )


if __name__ == "__main__":
    require(COMPARE)
