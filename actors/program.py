"""How this program is called by whoever reads its output: the installed command, or the checkout's cli.py.

What lives here: the names, so that every line that can be pasted has the same, and a shell completes it.
"""

from __future__ import annotations

from typing import Final

IS_INSTALLED: Final = __name__.startswith("quorate.")
"""In a wheel every module is under `quorate.`; see hatch_build.py."""

PROGRAM: Final = "quorate" if IS_INSTALLED else "python cli.py"


def complete_variable(name: str) -> str:
    """What a shell sets to have a command complete itself: click's, for the name that is typed."""
    return f"_{name}_COMPLETE".replace("-", "_").replace(".", "_").upper()
