"""Quorate's three servers, each a process that `cli.py start` started, as its users start them."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

from bench.client_process import run_client
from bench.loads import Load
from bench.ports import Ports
from bench.sample import Sample
from commands.cluster_wait import Look, wait_until_they_agree
from commands.local_cluster import PORT_STEP, LocalCluster, LocalServer, Settings

SERVERS = 3
SETTLE_TIMEOUT_S = 30.0


class QuorateCluster:
    """Three servers with their data in `folder`."""

    name = "Quorate"

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._cluster = LocalCluster(folder)
        self._settings = Settings(
            base_port=ports.base([PORT_STEP * index + extra for index in range(SERVERS) for extra in (0, 1)])
        )
        self._lock = ExitStack()
        self._look = Look(None)

    @property
    def pids(self) -> list[int]:
        """The servers' processes, in order."""
        return [server.process.pid for server in self._cluster.servers if server.process is not None]

    @property
    def addresses(self) -> list[str]:
        """Where clients reach the servers, in order."""
        return [server.address for server in self._cluster.servers]

    def start(self) -> None:
        """Start the servers that do not run, and return when all agree."""
        if not self._cluster.servers:
            self._lock.enter_context(self._cluster.locked(create=True))
        self._cluster.up(SERVERS, self._settings)
        self.settle()

    def settle(self) -> None:
        """Return when all servers agree."""
        wait_until_they_agree(self._cluster, self._look, SERVERS, SETTLE_TIMEOUT_S)

    def stop(self) -> None:
        """End the servers."""
        if self._cluster.servers:
            self._cluster.down()
        self._lock.close()

    def leader(self) -> int:
        """The number of the server that leads, once all agree."""
        self.settle()
        return next(server.index for server in self._cluster.servers if self._leads(server))

    def signal(self, index: int, number: signal.Signals) -> None:
        """Signal a server."""
        self._cluster.signal(self._cluster.servers[index], number)

    def suits(self, load: Load) -> bool:
        """It has one configuration, for every load."""
        return True

    def run(self, load: Load, seconds: float) -> Sample:
        """Carry a load out with Quorate's own client, which is told of the leader and finds it by itself too."""
        leader = self.addresses[self.leader()]
        others = [address for address in self.addresses if address != leader]
        return run_client("bench.quorate_client", [leader, *others], load, seconds)

    def _leads(self, server: LocalServer) -> bool:
        status = self._look(server)
        return status is not None and status["role"] == "leader"
