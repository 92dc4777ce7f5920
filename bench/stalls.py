"""What stops the event loop of a running server, measured inside it: how long, and what the time went to.

What lives here: a tick every few milliseconds that notes when it comes late, a thread that looks where the loop is
meanwhile, and reading the notes from outside.  What does not: the server (watched_server.py).

A late tick on a busy machine need not be the server's fault.  So each stall says how much of it the loop's thread was
computing (``cpu_ms``, with the collector's share ``gc_ms``) and how much it was ready to run and had no processor
(``queued_ms``, from the kernel); the rest it waited for the disk or for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
from math import inf
from pathlib import Path

import msgspec

TICK_S = 0.002
NOTED_FROM_S = 0.015
"""Stalls shorter than this are not written down."""

_LOOK_PERIOD_S = 0.01
_FRAMES_SHOWN = 4


class Stall(msgspec.Struct, frozen=True):
    """at: its end, by the machine's monotonic clock, which all processes share."""

    at: float
    wall_ms: float
    cpu_ms: float
    queued_ms: float
    gc_ms: float
    where: str = ""

    @property
    def own_ms(self) -> float:
        """What a machine with a free processor would have seen of it."""
        return max(0.0, self.wall_ms - self.queued_ms)

    def describe(self) -> str:
        """What the time went to, and where the loop was."""
        return (
            f"{self.cpu_ms:.0f} computing, {self.gc_ms:.0f} of it the collector, and {self.queued_ms:.0f} more waiting "
            f"for a processor; at {self.where or 'no one place'}"
        )


class StallProbe:
    """Notes stalls of the running loop in a file, a JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._out = path.open("ab", buffering=0)
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._thread = threading.get_ident()
        self._gc_began = self._gc_s = 0.0
        self._where = ""
        self._last = self._reading()
        self._closed = threading.Event()
        gc.callbacks.append(self._on_gc)
        threading.Thread(target=self._look_on, name="stall-probe", daemon=True).start()
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def close(self) -> None:
        """Note nothing more."""
        self._closed.set()
        self._timer.cancel()
        gc.callbacks.remove(self._on_gc)
        os.close(self._schedstat)
        self._out.close()

    def _reading(self) -> tuple[float, float, float]:
        queued_ns = int(os.pread(self._schedstat, 64, 0).split()[1])
        return time.monotonic(), time.thread_time(), queued_ns / 1e9

    def _tick(self) -> None:
        reading = self._reading()
        wall_s, cpu_s, queued_s = (now - before for now, before in zip(reading, self._last, strict=True))
        if wall_s - TICK_S >= NOTED_FROM_S:
            wall_ms, cpu_ms, queued_ms, gc_ms = (
                value * 1000 for value in (wall_s - TICK_S, cpu_s, queued_s, self._gc_s)
            )
            stall = Stall(reading[0], wall_ms, cpu_ms, queued_ms, gc_ms, self._where)
            self._out.write(msgspec.json.encode(stall) + b"\n")
        self._gc_s, self._where = 0.0, ""
        self._last = self._reading()
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _on_gc(self, phase: str, _info: dict[str, int]) -> None:
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._gc_began = time.monotonic()
        else:
            self._gc_s += time.monotonic() - self._gc_began

    def _look_on(self) -> None:
        while not self._closed.wait(_LOOK_PERIOD_S):
            if not self._where and time.monotonic() - self._last[0] > TICK_S + NOTED_FROM_S:
                frames = traceback.extract_stack(sys._current_frames().get(self._thread))
                self._where = " < ".join(
                    f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
                    for frame in reversed(frames[-_FRAMES_SHOWN:])
                )


def read_stalls(path: Path, since: float = -inf) -> list[Stall]:
    """The stalls noted since a time."""
    if not path.exists():
        return []
    # The last line may not be whole yet: its writer may have been killed.
    lines = path.read_bytes().split(b"\n")[:-1]
    stalls = (msgspec.json.decode(line, type=Stall) for line in lines)
    return [stall for stall in stalls if stall.at >= since]
