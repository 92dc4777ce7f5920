"""The probe on an event loop: what it writes down, and what it makes of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.stalls import NOTED_FROM_S, TICK_S, Stall, StallProbe, read_stalls

LONG_S = 4 * NOTED_FROM_S


def wait_in_a_handler() -> None:
    """Stop the loop without computing, as a disk would."""
    time.sleep(LONG_S)


async def test_a_stall_is_noted_with_its_place(tmp_path: Path) -> None:
    """How long, what of it was computing, and where the loop was."""
    probe = StallProbe(tmp_path / "stalls")
    await asyncio.sleep(2 * TICK_S)
    wait_in_a_handler()
    await asyncio.sleep(2 * TICK_S)
    probe.close()

    (stall,) = (one for one in read_stalls(tmp_path / "stalls") if "wait_in_a_handler" in one.where)
    assert stall.wall_ms >= (LONG_S - TICK_S) * 1000
    assert stall.cpu_ms < stall.wall_ms
    assert read_stalls(tmp_path / "stalls", since=time.monotonic()) == []


def test_waiting_for_a_processor_is_not_the_servers_own() -> None:
    """On a machine that does other work too."""
    assert Stall(at=0, wall_ms=80, cpu_ms=20, queued_ms=50, gc_ms=5).own_ms == 30


def test_a_line_that_is_not_whole_is_left_out(tmp_path: Path) -> None:
    """Whoever wrote it may have been killed."""
    (tmp_path / "stalls").write_bytes(
        b'{"at":1.0,"wall_ms":20.0,"cpu_ms":1.0,"queued_ms":0.0,"gc_ms":0.0,"where":""}\n{"at":2.0,"wall'
    )
    assert [stall.at for stall in read_stalls(tmp_path / "stalls")] == [1.0]
    assert read_stalls(tmp_path / "nothing") == []
