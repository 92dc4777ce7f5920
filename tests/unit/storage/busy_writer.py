"""A process that writes to a raft.db until it is killed: run by test_crash.py, never imported by it.

Says every acknowledged entry on its standard output, after the write has returned: what is said must be there for ever.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from storage.raft_db import RaftDb
from storage.raft_messages import HardState, RaftWrite, SnapshotSave
from tests.unit.storage.journals import entries


def main(path: Path, seed: int) -> None:
    """Write for ever: batches of several sizes, now and then a snapshot."""
    rng = random.Random(seed)
    db = RaftDb(path)
    loaded = db.load()
    last, anchor = loaded.anchor_index + len(loaded.entries), loaded.anchor_index
    sequence = 0
    while True:
        sequence += 1
        count, size = rng.choice([(1, 100), (1, 5000), (30, 200), (3, 30000)])
        added = entries(last + 1, last + count, term=1, size=size)
        save = None
        if last - anchor > 300:
            anchor = last - 50
            save = SnapshotSave(last, 1, b"", [b"%d" % last] * 5, anchor, 1, False)
        db.write(RaftWrite(1, sequence, HardState(1, "me"), None, added, last, None, save))
        last += count
        sys.stdout.write(f"{last} {size}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
