"""What the comparison of membership asks of a system: servers of one machine, asked one at a time who is what.

What lives here: what both systems have in common, and the time until all servers know something.  What does not: the
stories that are timed (membership_stories.py).

Asking has to be cheap, or it would be what is measured: connections stay, and one server is asked at a time, until it
knows; then the next.  The last of them to know ends the time, wherever it stands in that order.
"""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence, Set
from pathlib import Path

from bench.fleet import Fleet
from bench.ports import HOST, Ports

ASK_PERIOD_S = 0.01
START_TIMEOUT_S = 180.0
KNOW_TIMEOUT_S = 180.0
LATE_MAX_S = 0.5
_PORT_STEP = 2


class StoryError(Exception):
    """A story whose time would mean nothing.  The message says why."""


class Membership(ABC):
    """Servers 0 to n - 1 are the cluster, which 0 starts and the others join through it.

    Two more are newcomers: `asked` (n) starts without joining anybody, and does when it is told to; `launched` (n + 1)
    joins through server 0 when it is started.
    """

    name: str

    def __init__(self, folder: Path, ports: Ports, size: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.size = size
        self.asked, self.launched = size, size + 1
        # The last port is nobody's.
        self._base = ports.base(range(_PORT_STEP * (size + 2) + 1))
        self._fleet = Fleet(folder, [self.command(index) for index in range(size + 2)])

    @property
    def cluster(self) -> range:
        """The servers that are there from the start."""
        return range(self.size)

    @staticmethod
    def member(index: int) -> str:
        """The name of a server."""
        return f"server-{index}"

    def port(self, index: int) -> int:
        """The first of a server's two ports."""
        return self._base + _PORT_STEP * index

    def address(self, index: int) -> str:
        """Where others reach a server."""
        return f"{HOST}:{self.port(index)}"

    def launch(self, index: int) -> None:
        """Start a server's process; nothing is waited for."""
        self._fleet.start_one(index)

    def start(self, indexes: Iterable[int]) -> None:
        """Start servers, and return when each answers."""
        for index in indexes:
            self.launch(index)
        for index in indexes:
            self.connect(index)

    def signal(self, index: int, number: signal.Signals) -> None:
        """Signal a server; after SIGKILL, wait until it is gone."""
        self._fleet.signal(index, number)

    def pid(self, index: int) -> int:
        """The process of a server that runs."""
        return self._fleet.process(index).pid

    def stop(self) -> None:
        """End every server."""
        self._fleet.stop()

    @abstractmethod
    def command(self, index: int) -> list[str]:
        """The command line of a server."""

    @abstractmethod
    def connect(self, index: int) -> None:
        """Wait until a server that was launched answers."""

    @abstractmethod
    def join(self, index: int) -> None:
        """Have a server that has joined nobody join through server 0."""

    @abstractmethod
    def leave(self, index: int) -> None:
        """Have a server leave for good, which ends its process."""

    @abstractmethod
    def statuses(self, index: int) -> dict[str, str]:
        """What a server knows of each member, by name."""

    @abstractmethod
    def send_event(self, index: int, name: str) -> None:
        """Send a user event."""

    @abstractmethod
    def watch_events(self, index: int) -> None:
        """Begin to hear user events at a server."""

    @abstractmethod
    def await_event(self, index: int, name: str, timeout_s: float) -> None:
        """Wait until a server that is watched has had an event."""

    @abstractmethod
    def sent_bytes_per_s(self, seconds: float) -> Sequence[float]:
        """Let so many seconds pass, and tell what each server of the cluster sent a second in frames of gossip."""


def until_all(observers: Iterable[int], knows: Callable[[int], bool], what: str) -> float:
    """Ask until every one knows; returns how many seconds that took.

    Raises StoryError when it takes too long, or when this very process stood still meanwhile.
    """
    began = time.monotonic()
    for observer in observers:
        while not knows(observer):
            pause(ASK_PERIOD_S)
            if time.monotonic() - began > KNOW_TIMEOUT_S:
                raise StoryError(f"server {observer} does not know after {KNOW_TIMEOUT_S:g} s that {what}")
    return time.monotonic() - began


def pause(seconds: float) -> None:
    """Let time pass.  Raises StoryError when much more of it passed."""
    began = time.monotonic()
    time.sleep(seconds)
    late_s = time.monotonic() - began - seconds
    if late_s > LATE_MAX_S:
        raise StoryError(f"this process stood still for {late_s:.1f} s, and the servers perhaps too")


def until_seen(system: Membership, observers: Iterable[int], members: Iterable[int], wanted: Set[str]) -> float:
    """Until every observer shows each member in one of the statuses."""
    names = [system.member(index) for index in members]

    def knows(observer: int) -> bool:
        statuses = system.statuses(observer)
        return all(statuses.get(name, "") in wanted for name in names)

    return until_all(observers, knows, f"{', '.join(names)} is {' or '.join(sorted(wanted))}")
