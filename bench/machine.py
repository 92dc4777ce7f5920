"""What a benchmark ran on: figures mean nothing without it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

from bench.loads import VALUE
from quorate import __version__

_SYNCS = 500
_ROOT = Path(__file__).resolve().parents[1]


class Machine(msgspec.Struct, frozen=True):
    """fdatasync_p50_ms: of an append of one value to a file, which bounds a durable write.  load: before the run."""

    processor: str
    cores: int
    memory_gb: int
    kernel: str
    filesystem: str
    fdatasync_p50_ms: float
    load: float
    python: str
    quorate: str
    commit: str
    pysyncobj: str

    def __str__(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gb} GB, Linux {self.kernel}, {self.filesystem}; "
            f"fdatasync of {len(VALUE)} bytes: p50 {self.fdatasync_p50_ms} ms; load average before the run: {self.load}"
        )


def look(folder: Path) -> Machine:
    """This machine, with the disk that holds `folder`."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        kernel=platform.release(),
        filesystem=_filesystem(folder),
        fdatasync_p50_ms=round(_fdatasync_ms(folder), 3),
        load=round(os.getloadavg()[0], 1),
        python=platform.python_version(),
        quorate=__version__,
        commit=commit(_ROOT),
        pysyncobj=version("pysyncobj"),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _filesystem(folder: Path) -> str:
    """The type of the filesystem: that of the longest mount point above the folder."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2]


def _fdatasync_ms(folder: Path) -> float:
    path = folder / "fdatasync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(VALUE)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return sorted(times)[_SYNCS // 2] * 1000


def commit(checkout: Path) -> str:
    """The commit of a checkout, "-dirty" when more than pages was changed: they show the results of runs before."""
    if shutil.which("git") is None:
        return ""
    name = _git(checkout, "rev-parse", "--short", "HEAD")
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs", ":!README.md")
    return f"{name}-dirty" if changed else name


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
