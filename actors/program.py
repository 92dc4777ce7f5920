"""How this program is called by whoever reads its output: the installed command, or the checkout's cli.py.

What lives here: two constants, so that every line that can be pasted names the same.
"""

from __future__ import annotations

from typing import Final

IS_INSTALLED: Final = __name__.startswith("quorate.")
"""In a wheel every module is under `quorate.`; see hatch_build.py."""

PROGRAM: Final = "quorate" if IS_INSTALLED else "python cli.py"
