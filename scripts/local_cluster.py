"""A local cluster for people who look for a script: `python scripts/local_cluster.py up 3` is `cli.py cluster up 3`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cli import main

if __name__ == "__main__":
    main(["cluster", *sys.argv[1:]])
