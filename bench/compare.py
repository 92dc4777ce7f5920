"""Quorate, etcd and raw PySyncObj under the same loads, in one run on one machine.

    python -m bench.compare [--repeats 5] [--seconds 3] [--loads put-1,put-512x16,get-64] [--out docs]

All three run all the time, as three server processes each, and take turns under each load, so that a slow moment of the
machine hits all of them.  Prints tables, and writes benchmarks.json and benchmarks.svg.  Absolute figures move with the
machine; what counts are the ratios within one run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.etcd_cluster import EtcdCluster, etcd_version
from bench.fleet import FleetError
from bench.loads import LOADS, Load, parse_load
from bench.machine import look
from bench.needs import PACKAGES, require
from bench.ports import Ports
from bench.pysyncobj_cluster import PySyncObjCluster
from bench.pysyncobj_protocol import CONFIGURATIONS
from bench.quorate_cluster import QuorateCluster
from bench.report import Idle, Result, tables
from bench.sample import Measured, SampleError
from bench.system import System, measure, running
from bench.usage import cpu_s, rss_mb

IDLE_S = 5.0
TRIES = 3
OVERHEAD_S = 0.9
"""What a run takes beside its seconds: the warm-up and the client's start."""

Runs = dict[str, dict[str, list[Measured]]]


class Comparison:
    """Takes the systems through the loads."""

    def __init__(self, systems: Sequence[System], loads: Sequence[Load], seconds: float, repeats: int) -> None:
        self._systems = systems
        self._loads = loads
        self._seconds = seconds
        self._repeats = repeats
        self.runs: Runs = {load.name: {system.name: [] for system in systems} for load in loads}
        self.run_again: list[str] = []

    @property
    def expected_s(self) -> float:
        """About how long run() takes."""
        return self._repeats * len(self._loads) * len(self._systems) * (self._seconds + OVERHEAD_S)

    def run(self) -> None:
        """Measure everything, each system in turn under each load, again and again."""
        for repeat in range(1, self._repeats + 1):
            for load in self._loads:
                for system in self._systems:
                    measured = self._try(system, load)
                    self.runs[load.name][system.name].append(measured)
                    sample = measured.sample
                    print(
                        f"{repeat}/{self._repeats} {load.name:<10} {system.name:<15} {sample.rate:>9,.0f} a second, "
                        f"p50 {sample.p50_ms:.2f} ms, p99 {sample.p99_ms:.2f} ms",
                        file=sys.stderr,
                        flush=True,
                    )

    def _try(self, system: System, load: Load) -> Measured:
        for tried in range(1, TRIES + 1):
            try:
                return measure(system, load, self._seconds)
            except (SampleError, FleetError) as error:
                # Raw PySyncObj servers end by themselves now and then; whatever ended is started again.
                print(f"{system.name}, {load.name}: {error}", file=sys.stderr, flush=True)
                self.run_again.append(f"{system.name}, {load.name}")
                if tried == TRIES:
                    raise
                system.start()
        raise AssertionError("the last try returns or raises")


def watch_idle(systems: Sequence[System]) -> dict[str, Idle]:
    """What the servers use while nobody asks them for anything."""
    before = {system.name: [cpu_s(pid) for pid in system.pids] for system in systems}
    time.sleep(IDLE_S)
    return {
        system.name: Idle(
            [(cpu_s(pid) - then) / IDLE_S * 100 for pid, then in zip(system.pids, before[system.name], strict=True)],
            [rss_mb(pid) for pid in system.pids],
        )
        for system in systems
    }


def _systems(folder: Path) -> list[System]:
    ports = Ports()
    engines = [PySyncObjCluster(folder / name, ports, name) for name in CONFIGURATIONS]
    return [QuorateCluster(folder / "quorate", ports), EtcdCluster(folder / "etcd", ports), *engines]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run, its warm-up not counted")
    parser.add_argument("--loads", type=lambda text: [parse_load(name) for name in text.split(",")], default=LOADS)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="the folder for the result and its picture")
    return parser.parse_args()


def main() -> None:
    """Start everything, measure, and write down what came out."""
    options = _options()
    require(list(PACKAGES))
    # Before the long part: a missing matplotlib is to be known now.
    from bench.plot import draw

    began = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="quorate-bench-") as name:
        folder = Path(name)
        machine = look(folder)
        systems = _systems(folder)
        comparison = Comparison(systems, options.loads, options.seconds, options.repeats)
        print(f"this takes about {comparison.expected_s / 60:.0f} minutes", file=sys.stderr, flush=True)
        with running(systems):
            idle = watch_idle(systems)
            comparison.run()
    result = Result(
        began=began,
        seconds=options.seconds,
        machine=machine,
        etcd=etcd_version(),
        idle=idle,
        labels={load.name: load.label for load in options.loads},
        runs=comparison.runs,
        run_again=comparison.run_again,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "benchmarks.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    draw(result, options.out / "benchmarks.svg")
    print(tables(result))


if __name__ == "__main__":
    main()
