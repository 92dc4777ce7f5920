"""Serf agents of one machine, as the comparison of membership needs them: LAN profile, defaults otherwise."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from calendar import timegm
from contextlib import suppress

from bench.membership import START_TIMEOUT_S, Membership, pause
from bench.ports import HOST
from bench.serf_rpc import SerfRpc, SerfRpcError

_LOOK_PERIOD_S = 0.05
_DUMP_TIMEOUT_S = 5.0
_INTERVAL_S = 10.0
"""Serf sums its metrics up over intervals of this length, and keeps them for a minute."""

_SENT = re.compile(
    r"^\[(\d+-\d+-\d+ \d+:\d+:\d+) \+0000 UTC\]\[C\] 'serf-agent\.memberlist\.(?:udp|tcp)\.sent': .*?Sum: ([\d.]+)",
    re.M,
)


class SerfAgents(Membership):
    """The agents, each with a connection to its RPC port."""

    name = "Serf"
    _rpc: dict[int, SerfRpc]
    _watches: dict[int, SerfRpc]

    def command(self, index: int) -> list[str]:
        """The command line of an agent."""
        self._rpc, self._watches = {}, {}
        where = ["-bind", self.address(index), "-rpc-addr", f"{HOST}:{self.port(index) + 1}"]
        joins = [] if index in (0, self.asked) else ["-join", self.address(0)]
        return ["serf", "agent", "-node", self.member(index), *where, "-profile", "lan", *joins]

    def connect(self, index: int) -> None:
        """Wait until an agent answers."""
        if index in self._rpc:
            self._rpc.pop(index).close()
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self._rpc[index] = SerfRpc(self.port(index) + 1)
                return
            except (OSError, SerfRpcError):
                self._fleet.process(index)
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_PERIOD_S)

    def join(self, index: int) -> None:
        """Have an agent join through agent 0."""
        self._rpc[index].join(self.address(0))

    def leave(self, index: int) -> None:
        """Have an agent leave."""
        # It may end before it has answered.
        with suppress(SerfRpcError, OSError):
            self._rpc[index].leave()

    def statuses(self, index: int) -> dict[str, str]:
        """What an agent knows of each member, by name."""
        return self._rpc[index].statuses()

    def send_event(self, index: int, name: str) -> None:
        """Send a user event, which is not to be coalesced with others."""
        self._rpc[index].event(name)

    def watch_events(self, index: int) -> None:
        """Begin to hear user events at an agent, on a connection of their own."""
        self._watches[index] = SerfRpc(self.port(index) + 1)
        self._watches[index].watch_events()

    def await_event(self, index: int, name: str, timeout_s: float) -> None:
        """Wait until an agent that is watched has had an event."""
        while self._watches[index].next_event(timeout_s) != name:
            pass

    def sent_bytes_per_s(self, seconds: float) -> list[float]:
        """Serf's own count of what it hands to UDP and to TCP, over its intervals that lie inside the time."""
        first = (time.time() // _INTERVAL_S + 1) * _INTERVAL_S
        pause(seconds)
        count = int((time.time() - first) // _INTERVAL_S)
        begins = {first + number * _INTERVAL_S for number in range(count)}
        return [self._sent(index, begins) / (count * _INTERVAL_S) for index in self.cluster]

    def stop(self) -> None:
        """End every agent."""
        for rpc in [*self._rpc.values(), *self._watches.values()]:
            rpc.close()
        super().stop()

    def _sent(self, index: int, begins: set[float]) -> float:
        log = self.folder / f"server-{index}.log"
        before = log.stat().st_size
        self.signal(index, signal.SIGUSR1)
        deadline = time.monotonic() + _DUMP_TIMEOUT_S
        seen, size = "", -1
        # A dump has no end mark: it is whole when it does not grow any more.
        while time.monotonic() < deadline and (not seen or len(seen) != size):
            size = len(seen)
            time.sleep(_LOOK_PERIOD_S)
            seen = log.read_text()[before:]
        return sent_between(seen, begins)


def sent_between(dump: str, begins: set[float]) -> float:
    """The bytes that a dump of an agent's metrics has under the intervals that begin at these times."""
    found = [(timegm(time.strptime(at, "%Y-%m-%d %H:%M:%S")), float(total)) for at, total in _SENT.findall(dump)]
    return sum(total for at, total in found if at in begins)


def serf_version() -> str:
    """The release that is installed; Debian's package knows it better than the program."""
    package = ["dpkg-query", "--show", "--showformat", "${Version}", "serf"]
    for command in (package, ["serf", "version"]):
        with suppress(OSError):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout.split()[0]
    return "unknown"
