"""Three etcd servers with their defaults, which are durable: every entry is synced before it counts.

What lives here: the servers, which one leads, and the proof that a load was really carried out.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.etcd_load import generate
from bench.fleet import Fleet, FleetError
from bench.loads import KEY, VALUE, Kind, Load, batch_keys
from bench.ports import HOST, Ports
from bench.sample import Sample, SampleError

SERVERS = 3
SETTLE_TIMEOUT_S = 30.0
_PORT_STEP = 10
_LOOK_PERIOD_S = 0.1
_CALL_TIMEOUT_S = 5.0


class EtcdCluster:
    """Three servers with their data in `folder`."""

    name = "etcd"

    def __init__(self, folder: Path, ports: Ports) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._base = ports.base([_PORT_STEP * index + extra for index in range(SERVERS) for extra in (0, 1)])
        self._fleet = Fleet(folder, [self._command(index) for index in range(SERVERS)])

    @property
    def pids(self) -> list[int]:
        """The servers' processes, in order."""
        return self._fleet.pids

    @property
    def addresses(self) -> list[str]:
        """Where clients reach the servers, in order."""
        return [f"{HOST}:{self._base + _PORT_STEP * index + 1}" for index in range(SERVERS)]

    def start(self) -> None:
        """Start the servers that do not run, and return when all agree."""
        self._fleet.start()
        self.settle()

    def settle(self) -> None:
        """Return when all servers name the same leader in the same term."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < deadline:
            self._fleet.pids  # noqa: B018 - raises when a server has ended
            views = [self._view(address) for address in self.addresses]
            if None not in views and len(set(views)) == 1:
                return
            time.sleep(_LOOK_PERIOD_S)
        raise FleetError(f"etcd's servers do not agree after {SETTLE_TIMEOUT_S:g} s")

    def stop(self) -> None:
        """End the servers."""
        self._fleet.stop()

    def leader(self) -> int:
        """The number of the server that leads; there is one after settle()."""
        statuses = [self._status(address) for address in self.addresses]
        return next(index for index, status in enumerate(statuses) if status["leader"] == status["header"]["member_id"])

    def signal(self, index: int, number: signal.Signals) -> None:
        """Signal a server; after SIGKILL, wait until it is gone."""
        self._fleet.signal(index, number)

    def suits(self, load: Load) -> bool:
        """It has one configuration, for every load."""
        return True

    def run(self, load: Load, seconds: float) -> Sample:
        """Carry a load out on the leader, and hold etcd to what it answered."""
        leader = self.addresses[self.leader()]
        if load.kind is Kind.GET:
            call(leader, "kv/put", key=encoded(KEY.encode()), value=encoded(VALUE))
        keys = batch_keys(load)
        before = self._versions(leader, keys)
        made = generate(self._folder, leader, load, seconds)
        if load.kind is Kind.GET:
            if made.body_bytes < made.calls * len(VALUE):
                raise SampleError("etcd's answers are too short to hold the value")
        elif any(now - then < made.calls for then, now in zip(before, self._versions(leader, keys), strict=True)):
            raise SampleError("etcd has fewer versions of a key than puts were answered")
        return made.sample

    def _versions(self, address: str, keys: list[str]) -> list[int]:
        """How often each key was put."""
        rows = [call(address, "kv/range", key=encoded(key.encode())).get("kvs", []) for key in keys]
        return [int(row[0]["version"]) if row else 0 for row in rows]

    def _view(self, address: str) -> tuple[str, str] | None:
        try:
            status = self._status(address)
        except OSError:
            return None
        return (status["leader"], status["raftTerm"]) if "leader" in status else None

    def _status(self, address: str) -> dict[str, Any]:
        return call(address, "maintenance/status")

    def _command(self, index: int) -> list[str]:
        peers = [f"http://{HOST}:{self._base + _PORT_STEP * each}" for each in range(SERVERS)]
        mine, clients = peers[index], f"http://{self.addresses[index]}"
        everyone = ",".join(f"server-{each}={peer}" for each, peer in enumerate(peers))
        return [
            *("etcd", "--name", f"server-{index}", "--data-dir", str(self._folder / f"server-{index}")),
            *("--listen-peer-urls", mine, "--initial-advertise-peer-urls", mine, "--initial-cluster", everyone),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
        ]


def call(address: str, method: str, **arguments: str) -> dict[str, Any]:
    """Ask etcd's JSON gateway.  Raises OSError when there is no answer."""
    request = urllib.request.Request(f"http://{address}/v3/{method}", json.dumps(arguments).encode())
    with urllib.request.urlopen(request, timeout=_CALL_TIMEOUT_S) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def encoded(data: bytes) -> str:
    """Bytes as the JSON gateway takes them."""
    return base64.b64encode(data).decode()


def etcd_version() -> str:
    """The release that is installed."""
    output = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"etcd Version: (\S+)", output)
    return found[1] if found else "unknown"
