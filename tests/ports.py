"""Ports nobody uses at the moment."""

from __future__ import annotations

import random
import socket

# Below the range the kernel takes ports for outgoing connections from, so that none is taken between look and use.
FIRST, LAST = 20_000, 32_000


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row on loopback."""
    while True:
        first = random.randrange(FIRST, LAST)
        probes = [socket.socket() for _ in range(count)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return first
