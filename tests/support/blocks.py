"""Blocks of ports for clusters of real processes, kept for one test run at a time.

A port that is free now may be taken by another test run while a server of ours is down and about to come back. So each
run holds its blocks by a lock on a file, which ends with the run however it ends.
"""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import TextIO

# Below tests/ports.py's range, and below that from which the kernel takes ports for outgoing connections.
FIRST, LAST, SIZE = 10_000, 20_000, 100


class PortBlock:
    """`first` and the 99 ports after it on loopback: free at the start, and kept from other runs until `close`."""

    def __init__(self) -> None:
        while True:
            self.first = random.randrange(FIRST, LAST, SIZE)
            lock = _lock(self.first)
            if lock is None:
                continue
            if _is_free(self.first):
                self._lock = lock
                return
            lock.close()

    def close(self) -> None:
        """Let others have the ports."""
        self._lock.close()


def _lock(first: int) -> TextIO | None:
    try:
        lock = (Path(tempfile.gettempdir()) / f"quorate-test-ports-{first}.lock").open("w")
    except OSError:
        return None  # another user's
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _is_free(first: int) -> bool:
    for port in range(first, first + SIZE):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
