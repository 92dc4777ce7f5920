"""Quorate, etcd and raw PySyncObj under the same loads, in one run on one machine.

    python -m bench.compare [--loads put-1,put-512x16,get-64] [--systems quorate,etcd] [--repeats 5] [--seconds 3]
                            [--idle-seconds 30] [--out docs]

The systems take turns, each as three server processes that are started anew, and nothing of the others runs meanwhile;
so a slow time of the machine hits all of them, and none pays for another's heartbeats.  Prints tables; with --out it
also writes benchmarks.json and has pages.py make a page and a picture of it.  Absolute figures move with the machine;
what counts are the ratios within one run.

One load in a minute, while working on it: python -m bench.compare --systems quorate,etcd --loads put-1 --repeats 3
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from attrs import field, frozen

from bench.etcd_cluster import EtcdCluster, etcd_version
from bench.fleet import FleetError
from bench.loads import LOADS, Kind, Load, parse_load
from bench.machine import look
from bench.needs import COMPARE, require
from bench.pages import RESULT, keep, write
from bench.ports import Ports
from bench.pysyncobj_cluster import PySyncObjCluster
from bench.pysyncobj_protocol import CONFIGURATIONS
from bench.quorate_cluster import QuorateCluster
from bench.report import PYSYNCOBJ, LeftOut, Result, tables
from bench.sample import Idle, Measured, SampleError
from bench.system import System, measure, running, watch_idle
from commands.local_cluster import LocalClusterError

TRIES = 6
FAILURES = (SampleError, FleetError, LocalClusterError)
"""What is tried again."""

OVERHEAD_S = 0.9
"""What a run takes beside its seconds: the warm-up and the client's start."""

START_S = 2.5
"""What starting and stopping a system takes."""

Factory = Callable[[Path, Ports], System]

_FACTORIES: Mapping[str, Sequence[Factory]] = {
    "quorate": [QuorateCluster],
    "etcd": [EtcdCluster],
    "pysyncobj": [partial(PySyncObjCluster, configuration=name) for name in CONFIGURATIONS],
}


@frozen
class Plan:
    """What is measured: each load for `seconds`, `repeats` times, and for `idle_s` nothing at all (0: not)."""

    loads: Sequence[Load]
    factories: Sequence[Factory]
    repeats: int
    seconds: float
    idle_s: float

    @property
    def expected_s(self) -> float:
        """About how long it takes at most; some systems take part in some of the loads."""
        each = START_S + len(self.loads) * (self.seconds + OVERHEAD_S)
        return len(self.factories) * (self.repeats * each + self.idle_s)


@frozen
class Comparison:
    """Carries a plan out, with the servers' files in `folder`."""

    plan: Plan
    folder: Path
    ports: Ports = field(factory=Ports)
    runs: dict[str, dict[str, list[Measured]]] = field(factory=dict)
    idle: dict[str, Idle] = field(factory=dict)
    run_again: list[str] = field(factory=list)
    left_out: dict[str, dict[str, LeftOut]] = field(factory=dict)

    def run(self) -> None:
        """Measure everything, one system after the other, again and again."""
        for repeat in range(self.plan.repeats):
            for number, factory in enumerate(self.plan.factories):
                system = factory(self.folder / f"{repeat}-{number}", self.ports)
                loads = [load for load in self.plan.loads if self._takes_part(system, load)]
                if loads:
                    with running([system]):
                        self._measure(system, loads, repeat)

    def _takes_part(self, system: System, load: Load) -> bool:
        return system.suits(load) and system.name not in self.left_out.get(load.name, {})

    def _measure(self, system: System, loads: Sequence[Load], repeat: int) -> None:
        if self.plan.idle_s and not repeat:
            self.idle[system.name] = watch_idle(system, self.plan.idle_s)
        # Gets first: until etcd has written again, each of its reads copies the buffer of the last burst of writes.
        for load in sorted(loads, key=lambda load: load.kind is not Kind.GET):
            try:
                measured = self._try(system, load)
            except FAILURES as error:
                # It has other configurations, and Quorate and etcd can be compared without it.
                if not system.name.startswith(PYSYNCOBJ):
                    raise
                self._leave_out(system, load, error)
                system.stop()
                system.start()
            else:
                self.runs.setdefault(load.name, {}).setdefault(system.name, []).append(measured)
                _say(f"{repeat + 1}/{self.plan.repeats} {load.name:<10} {system.name:<15} {measured}")

    def _try(self, system: System, load: Load) -> Measured:
        for tried in range(1, TRIES + 1):
            try:
                if tried > 1:
                    system.start()
                return measure(system, load, self.plan.seconds)
            except FAILURES as error:
                # A machine may stand still for longer than anybody waits, and raw PySyncObj servers end by themselves
                # now and then.  One of them that comes back with an empty log among others that have theirs ends
                # again, so all of them are started anew.
                _say(f"{system.name}, {load.name}: {error}")
                self.run_again.append(f"{system.name}, {load.name}")
                if tried == TRIES:
                    raise
                if isinstance(error, FleetError):
                    system.stop()
        raise AssertionError("the last try returns or raises")

    def _leave_out(self, system: System, load: Load, error: Exception) -> None:
        """Go on without a system under a load, in every repeat: ratios are those of one repeat each."""
        failed = f"{system.name}, {load.name}"
        left_out = LeftOut(self.run_again.count(failed), str(error).splitlines()[-1])
        self.left_out.setdefault(load.name, {})[system.name] = left_out
        self.run_again[:] = [each for each in self.run_again if each != failed]
        self.runs.get(load.name, {}).pop(system.name, None)
        _say(f"{failed}: left out from here on")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _listed(text: str) -> list[Load]:
    return [parse_load(name) for name in text.split(",")]


def _known(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in _FACTORIES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no system is called {unknown[0]!r}; there are {', '.join(_FACTORIES)}")
    return names


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--loads", type=_listed, default=LOADS, help="default: all of them")
    parser.add_argument("--systems", type=_known, default=list(_FACTORIES), help="default: all of them")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run, its warm-up not counted")
    parser.add_argument("--idle-seconds", type=float, default=0.0, help="watch the idle servers for so long first")
    parser.add_argument("--out", type=Path, help="the folder for the result, its page and its picture")
    return parser.parse_args()


def main() -> None:
    """Measure, and show or write down what came out."""
    options = _options()
    if "etcd" in options.systems:
        require(COMPARE)
    if options.out is not None:
        # Before the long part: a missing matplotlib is to be known now.
        import bench.plot  # noqa: F401
    factories = [factory for name in options.systems for factory in _FACTORIES[name]]
    plan = Plan(options.loads, factories, options.repeats, options.seconds, options.idle_seconds)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="quorate-bench-") as name:
        machine = look(Path(name))
        if machine.filesystem == "tmpfs":
            _say(f"{name} is in memory, so that syncing costs nothing: set TMPDIR to a folder on a disk")
        _say(f"this takes {plan.expected_s / 60:.1f} minutes at most, unless something has to be tried again")
        comparison = Comparison(plan, Path(name))
        comparison.run()
    result = Result(
        began=began,
        seconds=options.seconds,
        repeats=options.repeats,
        machine=machine,
        etcd=etcd_version() if "etcd" in options.systems else "",
        idle_s=options.idle_seconds,
        idle=comparison.idle,
        labels={load.name: load.label for load in options.loads},
        runs={load.name: comparison.runs.get(load.name, {}) for load in options.loads},
        run_again=comparison.run_again,
        left_out=comparison.left_out,
    )
    print(tables(result))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        keep(result, options.out / RESULT)
        write(options.out)


if __name__ == "__main__":
    main()
