"""What a comparison does when a system fails again and again, played with systems that do nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from attrs import define, field

from bench.compare import TRIES, Comparison, Plan
from bench.fleet import FleetError
from bench.loads import Load, parse_load
from bench.ports import Ports
from bench.report import LeftOut
from bench.sample import Sample

SMALL, LARGE = parse_load("put-64"), parse_load("put-512")


@define
class Played:
    """Three servers that are all this process.  broken: in which repeats their servers end under the large load."""

    folder: Path
    ports: Ports
    name: str
    broken: str = ""
    tried: list[str] = field(factory=list)
    state: str = "stopped"

    @property
    def pids(self) -> list[int]:
        """This process, three times."""
        return [os.getpid()] * 3

    def start(self) -> None:
        """As a real one: a server that comes back without its log among others that have theirs ends again."""
        assert self.state != "ended"
        self.state = "running"

    def stop(self) -> None:
        """As a real one, which has to be started again."""
        self.state = "stopped"

    def leader(self) -> int:
        """The first one, always."""
        return 0

    def suits(self, load: Load) -> bool:
        """Every one of them."""
        return bool(load)

    def run(self, load: Load, seconds: float) -> Sample:
        """Figures out of the air, or the end of a server."""
        assert self.state == "running"
        self.tried.append(load.name)
        if load == LARGE and self.folder.name[0] in self.broken:
            self.state = "ended"
            raise FleetError("server 2 has ended; its log says:\nTraceback\nIndexError: list index out of range\n")
        return Sample(rate=seconds, p50_ms=1.0, p99_ms=1.0, done=1)


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    """A comparison has SIGTERM end what it started."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def compare(folder: Path, **broken: str) -> tuple[Comparison, list[Played]]:
    """A comparison of systems by their names, to be run; and what will have been measured in it."""
    made: list[Played] = []

    def factory(folder: Path, ports: Ports, name: str) -> Played:
        made.append(Played(folder, ports, name, broken[name]))
        return made[-1]

    factories = [partial(factory, name=name) for name in broken]
    return Comparison(Plan([LARGE, SMALL], factories, repeats=3, seconds=1.0, idle_s=0.0), folder), made


def test_raw_pysyncobj_is_left_out_where_its_servers_end_every_time(tmp_path: Path) -> None:
    """Of that load alone, all its repeats, and everything else is measured as if it were not there."""
    comparison, made = compare(tmp_path, PySyncObjFast="12", PySyncObjSlow="", Quorate="")
    comparison.run()

    measured = {load: {name: len(runs) for name, runs in found.items()} for load, found in comparison.runs.items()}
    assert measured == {
        LARGE.name: {"PySyncObjSlow": 3, "Quorate": 3},
        SMALL.name: {"PySyncObjFast": 3, "PySyncObjSlow": 3, "Quorate": 3},
    }
    left_out = LeftOut(TRIES, "IndexError: list index out of range")
    assert comparison.left_out == {LARGE.name: {"PySyncObjFast": left_out}}
    assert comparison.run_again == []
    fast = [system.tried for system in made if system.name == "PySyncObjFast"]
    assert fast == [[LARGE.name, SMALL.name], [LARGE.name] * TRIES + [SMALL.name], [SMALL.name]]
    assert {system.state for system in made} == {"stopped"}


@pytest.mark.parametrize("name", ["Quorate", "etcd"])
def test_a_failure_of_quorate_or_etcd_ends_the_comparison(tmp_path: Path, name: str) -> None:
    """Rather than make a result without what it is about."""
    comparison, made = compare(tmp_path, PySyncObj="", **{name: "0"})
    with pytest.raises(FleetError, match="IndexError"):
        comparison.run()
    assert made[-1].tried == [LARGE.name] * TRIES
    assert comparison.run_again == [f"{name}, {LARGE.name}"] * TRIES
