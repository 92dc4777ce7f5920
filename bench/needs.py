"""What a comparison needs besides Python, and a clear word when it is missing.  Nothing is installed from here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from compileall import compile_dir, compile_file
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {"etcd": "etcd-server", "h2load": "nghttp2-client", "serf": "serf"}
"""Debian's package of each program."""

COMPARE = ("etcd", "h2load")
"""The programs that the comparison of loads needs."""

_ROOT = Path(__file__).resolve().parents[1]
_MODULES = ("actors", "commands", "quorate", "storage", "transport")


def require(programs: Sequence[str]) -> None:
    """End this process with a line on what to install, unless all programs are there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(PACKAGES[program] for program in missing)
        sys.exit(
            f"the comparison needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed; "
            f"on Debian or Ubuntu: apt-get install {packages}"
        )


def compile_modules() -> None:
    """Compile what Quorate's servers import, as pip does when it installs them; `make setup` does it too.

    Where Python may not keep what it has compiled (PYTHONDONTWRITEBYTECODE), each start would compile all of it again,
    and take twice as long. PySyncObj is no wheel, so pip leaves it as it is there.
    """
    engine = find_spec("pysyncobj")
    engine_folders = (engine.submodule_search_locations if engine else None) or ()
    for folder in (*(_ROOT / name for name in _MODULES), *engine_folders):
        compile_dir(folder, quiet=1)
    compile_file(_ROOT / "cli.py", quiet=1)


if __name__ == "__main__":
    require(COMPARE)
