"""Quorate's membership and Serf's, on one machine in one run: who knows how soon what has happened to a member.

    python -m bench.serf [--sizes 3,10,30] [--repeats 5,5,3] [--idle-seconds 40] [--idle-only] [--seed 1] [--out docs]

Both with their LAN profile and defaults otherwise, on loopback without a key.  They take turns, each started anew for
each repeat, and nothing of the other runs meanwhile.  Prints tables; with --out it also writes membership.json and has
docs/membership.md, its picture and the README's table made of it (serf_pages.py).

One size in two minutes, while working on it: python -m bench.serf --sizes 10 --repeats 1; with --idle-only what idle
servers cost is measured alone, and with --out it replaces only that in the result that is there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
from attrs import field, frozen

from bench.fleet import FleetError
from bench.machine import look
from bench.membership import Membership, StoryError, pause
from bench.membership_stories import SETTLE_S, STORIES, Story, form
from bench.needs import compile_modules, require
from bench.ports import Ports
from bench.quorate_members import QuorateMembers
from bench.serf_agents import SerfAgents, serf_version
from bench.serf_report import Idle, MembersIdle, SerfResult, Times, idle_table, tables
from bench.serf_rpc import SerfRpcError
from bench.usage import cpu_s, rss_mb
from transport.client.errors import ClientError

TRIES = 4
SYSTEMS: tuple[Callable[[Path, Ports, int], Membership], ...] = (QuorateMembers, SerfAgents)


@frozen
class SerfComparison:
    """Carries the plan out, with the servers' files in `folder`.  repeats: by the number of servers."""

    repeats: Mapping[int, int]
    stories: Mapping[str, Story]
    idle_s: float
    rng: Random
    folder: Path
    ports: Ports = field(factory=Ports)
    times: dict[int, dict[str, Times]] = field(factory=dict)
    idle: dict[int, dict[str, MembersIdle]] = field(factory=dict)
    told_again: list[str] = field(factory=list)

    def run(self) -> None:
        """Measure everything, the systems in turns."""
        for size, repeats in self.repeats.items():
            for repeat in range(1, repeats + 1):
                for make in SYSTEMS if repeat % 2 else reversed(SYSTEMS):
                    self._measure(make, size, repeat)

    def _measure(self, make: Callable[[Path, Ports, int], Membership], size: int, repeat: int) -> None:
        for tried in range(1, TRIES + 1):
            system = make(Path(tempfile.mkdtemp(dir=self.folder)) / "servers", self.ports, size)
            try:
                seconds, idle = self._told(system, watch_idle=bool(self.idle_s) and repeat == 1)
            except (StoryError, FleetError, ClientError, SerfRpcError, OSError) as error:
                # A machine may stand still for longer than anybody waits; who is stopped then is up to it.
                _say(f"{system.name}, {size} servers: {error}")
                self.told_again.append(f"{system.name}, {size} servers ({error})")
                if tried == TRIES:
                    raise
                continue
            finally:
                system.stop()
            if idle is not None:
                self.idle.setdefault(size, {})[system.name] = idle
            times = self.times.setdefault(size, {}).setdefault(system.name, {})
            for story, took_s in seconds.items():
                times.setdefault(story, []).append(round(took_s, 4))
            if idle is not None:
                seconds = {**seconds, "idle, bytes a second": sum(idle.sent) / size}
            told = ", ".join(f"{story} {took_s:.2f}" for story, took_s in seconds.items())
            _say(f"{size} servers, {repeat}/{self.repeats[size]} {system.name:<8} {told}")
            return

    def _told(self, system: Membership, *, watch_idle: bool) -> tuple[dict[str, float], MembersIdle | None]:
        form(system)
        idle = _watch(system, self.idle_s) if watch_idle else None
        return {story: tell(system, self.rng) for story, tell in self.stories.items()}, idle


def _watch(system: Membership, seconds: float) -> MembersIdle:
    pause(SETTLE_S)
    pids = [system.pid(index) for index in system.cluster]
    before = [cpu_s(pid) for pid in pids]
    sent = system.sent_bytes_per_s(seconds)
    used = [cpu_s(pid) - then for pid, then in zip(pids, before, strict=True)]
    return MembersIdle(
        cpu_percent=[round(each / seconds * 100, 3) for each in used],
        rss_mb=[round(rss_mb(pid), 1) for pid in pids],
        sent=[round(each, 1) for each in sent],
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=_numbers, default=[3, 10, 30], help="how many servers: 3,10,30")
    parser.add_argument("--repeats", type=_numbers, default=[5, 5, 3], help="of each size; the last one for the rest")
    parser.add_argument("--idle-seconds", type=float, default=40.0, help="watch idle servers for so long; 0 for not")
    parser.add_argument("--idle-only", action="store_true", help="tell no stories, watch idle servers only")
    parser.add_argument("--seed", type=int, default=1, help="of who is killed and who is stopped")
    parser.add_argument("--out", type=Path, help="the folder for the result, its page and its picture")
    return parser.parse_args()


def main() -> None:
    """Measure, and show or write down what came out."""
    options = _options()
    require(["serf"])
    compile_modules()
    if options.out is not None:
        # Before the long part: a missing matplotlib is to be known now.
        import bench.serf_plot  # noqa: F401
    asked = [1] if options.idle_only else options.repeats
    repeats = dict(zip(options.sizes, asked + asked[-1:] * len(options.sizes), strict=False))
    stories = {} if options.idle_only else STORIES
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="quorate-serf-") as name:
        machine = look(Path(name))
        comparison = SerfComparison(repeats, stories, options.idle_seconds, Random(options.seed), Path(name))
        comparison.run()
    idle = Idle(began, machine.commit, machine.load, options.idle_seconds, comparison.idle)
    if options.idle_only:
        print(idle_table(idle))
        if options.out is not None:
            from bench.serf_pages import read, write

            write(msgspec.structs.replace(read(options.out), idle=idle), options.out)
        return
    result = SerfResult(
        began=began,
        machine=machine,
        serf=serf_version(),
        repeats=repeats,
        times=comparison.times,
        idle=idle,
        told_again=comparison.told_again,
    )
    print(tables(result))
    if options.out is not None:
        from bench.serf_pages import write

        write(result, options.out)


if __name__ == "__main__":
    main()
