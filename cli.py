"""`python cli.py`: the command line of Quorate.  The commands are in commands/, one file a group."""

from __future__ import annotations

from commands.root import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
