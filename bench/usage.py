"""What a process has used so far, out of /proc: processor time and memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

_USER_TICKS_FIELD = 11
_SYSTEM_TICKS_FIELD = 12


def cpu_s(pid: int) -> float:
    """Processor time, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[_USER_TICKS_FIELD]) + int(fields[_SYSTEM_TICKS_FIELD])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Memory that is resident now, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def peak_rss_mb(pid: int) -> float:
    """The most memory that was resident since the start, or since `forget_peak_rss`, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak_rss(pid: int) -> None:
    """Begin anew with the peak."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def ended_children_cpu_s() -> float:
    """Processor time of this process's children that have ended and were waited for: the clients of a benchmark."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
