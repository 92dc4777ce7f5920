"""A local cluster for people who look for a script: `python scripts/local_cluster.py up 3` is `cli.py cluster up 3`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.root import root

if __name__ == "__main__":
    root(args=["cluster", *sys.argv[1:]])
