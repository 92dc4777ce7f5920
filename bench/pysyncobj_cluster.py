"""Three servers of raw PySyncObj, each a process of its own (pysyncobj_server.py)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.client_process import run_client
from bench.fleet import Fleet, FleetError
from bench.loads import Load
from bench.ports import HOST, Ports
from bench.pysyncobj_client import FrontEnd
from bench.pysyncobj_protocol import CONFIGURATIONS, RequestFrame, engine_port, front_port
from bench.sample import Sample, SampleError

SERVERS = 3
START_TRIES = 3
LEADER_TIMEOUT_S = 20.0
_LOOK_PERIOD_S = 0.1
_ANSWER_TIMEOUT_MS = 1_000


class PySyncObjCluster:
    """configuration: a name out of CONFIGURATIONS."""

    def __init__(self, folder: Path, ports: Ports, configuration: str) -> None:
        folder.mkdir(parents=True)
        self.name = f"PySyncObj {configuration}"
        self._configuration = CONFIGURATIONS[configuration]
        self._base = ports.base([engine_port(0, index) + extra for index in range(SERVERS) for extra in (0, 1)])
        command = [sys.executable, "-m", "bench.pysyncobj_server"]
        self._fleet = Fleet(
            folder, [[*command, str(index), str(self._base), configuration] for index in range(SERVERS)]
        )

    @property
    def pids(self) -> list[int]:
        """The servers' processes, in order."""
        return self._fleet.pids

    def start(self) -> None:
        """Start the servers, and return when one leads the others."""
        for tried in range(1, START_TRIES + 1):
            self._fleet.start()
            try:
                self.leader()
            except FleetError:
                # They end by themselves now and then, with an IndexError over their log.
                if tried == START_TRIES:
                    raise
            else:
                return

    def stop(self) -> None:
        """End the servers."""
        self._fleet.stop()

    def leader(self) -> int:
        """The number of the server that leads, once all are connected to it.  Raises FleetError."""
        deadline = time.monotonic() + LEADER_TIMEOUT_S
        while time.monotonic() < deadline:
            for index in range(SERVERS):
                self._fleet.process(index)
                if _leads(self._front(index)):
                    return index
            time.sleep(_LOOK_PERIOD_S)
        raise FleetError(f"PySyncObj has no leader after {LEADER_TIMEOUT_S:g} s")

    def suits(self, load: Load) -> bool:
        """Whether this configuration may be the best one for a load."""
        return load.in_flight in self._configuration.in_flight

    def run(self, load: Load, seconds: float) -> Sample:
        """Carry a load out on the leader."""
        return run_client("bench.pysyncobj_client", [self._front(self.leader())], load, seconds)

    def _front(self, index: int) -> str:
        return f"{HOST}:{front_port(self._base, index)}"


def _leads(address: str) -> bool:
    front = FrontEnd(address)
    try:
        front.send(RequestFrame(asks_for_leader=True))
        return not front.receive(_ANSWER_TIMEOUT_MS)[0].failed
    except SampleError:
        return False
    finally:
        front.close()
