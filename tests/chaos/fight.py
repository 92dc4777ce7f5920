"""A fight for a lock: processes that count up under it, and a bystander, all of it recorded for the checker of locks.

What lives here: the processes, stopping and killing them, and the end, at which everything is known. What does not:
what they do (tests/support/lock_worker.py), what else goes wrong (the tests), and what has to hold (tests/histories).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.chaos.bystander import Bystander
from tests.histories.journal import merged, read_journal
from tests.linearizability.history import History
from tests.linearizability.operation import Operation
from tests.support.cluster import Cluster
from tests.support.command import ROOT
from tests.support.lock_worker import COUNTER
from tests.support.waiting import wait_until

FIGHTERS = 2

Door = Literal["guarded", "open"]
"""Whether the counter asks for the token."""


class Fighter:
    """One process, stopped and continued, or killed."""

    def __init__(self, cluster: Cluster, name: str, door: Door, folder: Path) -> None:
        self.name = name
        self._journal = folder / f"{name}.jsonl"
        addresses = [server.address for server in cluster.servers]
        with self._journal.open("wb") as out, (folder / f"{name}.log").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.lock_worker", name, door, *addresses],
                stdout=out,
                stderr=err,
                cwd=ROOT,
            )

    def stop(self) -> None:
        """Let it stand still, wherever it is."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on as if nothing had happened."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it in the midst of what it does."""
        self._process.kill()
        self._process.wait()

    def wrote(self, value: str) -> bool:
        """Whether this value of the counter is its own."""
        return value.split()[2].startswith(f"{self.name}.")

    def journal(self) -> list[Operation]:
        """What it asked for and was told."""
        return read_journal(self._journal)


class Fight:
    """Goes on from `with` to its end. cluster: of servers that run."""

    def __init__(self, cluster: Cluster, folder: Path, door: Door = "guarded") -> None:
        self._cluster = cluster
        self._folder = folder
        self._door = door
        self._began = time.monotonic()
        self._stack = ExitStack()
        self._fighters: list[Fighter] = []
        self.bystander = Bystander([server.address for server in cluster.servers])

    def __enter__(self) -> Self:
        self._stack.enter_context(self.bystander)
        for _ in range(FIGHTERS):
            self._join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _join(self) -> None:
        fighter = Fighter(self._cluster, f"fighter-{len(self._fighters)}", self._door, self._folder)
        self._fighters.append(fighter)
        self._stack.callback(fighter.kill)

    def stop_the_holder(self) -> Fighter:
        """Stop whoever makes the next increment."""
        self.bystander.more(1)
        holder = next(one for one in self._fighters if one.wrote(self.bystander.seen[-1]))
        holder.stop()
        return holder

    def passed_on(self, fighter: Fighter) -> None:
        """Wait until somebody else has got the lock."""
        wait_until("another one gets the lock", partial(self._is_counted_by_others, fighter))

    def _is_counted_by_others(self, fighter: Fighter) -> bool:
        return not fighter.wrote(self.bystander.seen[-1])

    def replace(self, fighter: Fighter) -> None:
        """Kill one, and let another one take part."""
        fighter.kill()
        self._join()

    def told(self) -> History:
        """Kill all, and wait until the bystander has seen what they did; what everybody was told."""
        for fighter in self._fighters:
            fighter.kill()
        self._cluster.agree()
        _, revision = self._cluster.same_state()[COUNTER]
        self.bystander.reached(revision)
        self.bystander.stop()
        took_s = time.monotonic() - self._began
        print(f"{len(self.bystander.seen)} increments of {len(self._fighters)} processes in {took_s:.0f} s")
        return merged(self.bystander.history(), *(fighter.journal() for fighter in self._fighters))
