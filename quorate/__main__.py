"""`python -m quorate` and the `quorate` command: the same command tree as `python cli.py`."""

from __future__ import annotations

from cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
