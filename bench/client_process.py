"""A client in a process of its own: how it is started, what it is told, and how it tells what came of it.

The clients are Python files of this folder, run as `python -m bench.NAME ADDRESSES LOAD SECONDS`; they print a sample.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.loads import Load, parse_load
from bench.sample import Sample, SampleError

_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 30.0
_LAST_CHARACTERS = 600


def run_client(module: str, addresses: Sequence[str], load: Load, seconds: float) -> Sample:
    """Have a client's process carry out a load.  Raises SampleError when it fails."""
    command = [sys.executable, "-m", module, ",".join(addresses), load.name, str(seconds)]
    return msgspec.json.decode(run_tool(command, seconds), type=Sample)


def run_tool(command: Sequence[str], seconds: float) -> bytes:
    """What a program prints that should take so long.  Raises SampleError when it fails or takes much longer."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds + _PATIENCE_S, cwd=_ROOT, check=False)
    except subprocess.TimeoutExpired:
        raise SampleError(f"{command[0]} did not end {_PATIENCE_S:g} s after its time") from None
    if done.returncode:
        raise SampleError(f"{' '.join(command[:3])} ended with {done.returncode}: {_tail(done.stderr)}")
    return done.stdout


def client_main(drive: Callable[[list[str], Load, float], Sample]) -> None:
    """What a client's process does with its arguments."""
    addresses, load, seconds = sys.argv[1:]
    sample = drive(addresses.split(","), parse_load(load), float(seconds))
    sys.stdout.buffer.write(msgspec.json.encode(sample))


def _tail(output: bytes) -> str:
    return output.decode("utf-8", "replace")[-_LAST_CHARACTERS:].strip()
