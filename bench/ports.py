"""Ports for servers of a benchmark, below those that the kernel hands out to connections."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from itertools import chain

HOST = "127.0.0.1"
_FIRST = 21_000
_END = 32_000
_STEP = 100
_BASES = range(_FIRST, _END, _STEP)


class NoPortsError(Exception):
    """Every place that was tried is taken."""


class Ports:
    """Hands out ports that are free now, none of them twice."""

    def __init__(self) -> None:
        # Two benchmarks that are started together would find the same ports free, if both began at the first.
        begin = os.getpid() % len(_BASES)
        self._bases = chain(_BASES[begin:], _BASES[:begin])

    def base(self, offsets: Sequence[int]) -> int:
        """A port P such that P plus each offset is free.  Raises NoPortsError when there is none."""
        for base in self._bases:
            if all(_is_free(base + offset) for offset in offsets):
                return base
        raise NoPortsError(
            f"no {len(offsets)} free ports near each other from {_FIRST} to {_END}: stop what holds them"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
