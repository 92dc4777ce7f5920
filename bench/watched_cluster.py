"""Quorate's servers with a probe on each event loop, for measuring what a user's cluster does under a lasting load.

What lives here: starting, killing and looking into them.  What does not: the measurements (snapshots.py, growth.py).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

from bench.fleet import Fleet
from bench.ports import HOST, Ports
from bench.stalls import Stall, read_stalls
from transport.client.errors import ClientError
from transport.client.sync_client import SyncClient

LOOK_TIMEOUT_S = 1.0
SETTLE_TIMEOUT_S = 60.0
LOOK_PERIOD_S = 0.02
_PORT_STEP = 2


class WatchedCluster:
    """Server 0 starts the cluster and the others join it; each has its own folder in `folder`."""

    def __init__(self, folder: Path, servers: int) -> None:
        self._folder = folder
        base = Ports().base(range(servers * _PORT_STEP))
        self.addresses = [f"{HOST}:{base + _PORT_STEP * index}" for index in range(servers)]
        self._fleet = Fleet(folder, [self._command(index) for index in range(servers)])

    def _command(self, index: int) -> list[str]:
        peers = self.addresses[:1] if index else []
        files = str(self.data_dir(index)), str(self._stalls(index))
        module = [sys.executable, "-m", "bench.watched_server"]
        return [*module, f"server-{index}", self.addresses[index], *files, *peers]

    def data_dir(self, index: int) -> Path:
        """The folder of a server's files."""
        return self._folder / f"data-{index}"

    def log(self, index: int) -> str:
        """What a server has printed."""
        return (self._folder / f"server-{index}.log").read_text()

    def start(self, *indexes: int) -> float:
        """Start servers; returns when."""
        began = time.monotonic()
        for index in indexes:
            self._fleet.start_one(index)
        return began

    def kill(self, index: int) -> None:
        """End a server as a power cut would."""
        self._fleet.signal(index, signal.SIGKILL)

    def stop(self) -> None:
        """End every server."""
        self._fleet.stop()

    def runs(self, index: int) -> bool:
        """Whether a server was started and has not ended."""
        return self._fleet.runs(index)

    def pid(self, index: int) -> int:
        """The process of a server that runs."""
        return self._fleet.process(index).pid

    def stalls(self, index: int, since: float) -> list[Stall]:
        """When and how long a server's loop stood still."""
        return read_stalls(self._stalls(index), since)

    def raft_db_mb(self, index: int) -> float:
        """The size of a server's raft.db with its write-ahead log."""
        return sum(file.stat().st_size for file in self.data_dir(index).glob("raft.db*")) / 2**20

    async def ask(self, index: int, op: str = "status", timeout_s: float = LOOK_TIMEOUT_S, **arguments: object) -> Any:
        """What one server answers to an operator's request.  Raises ClientError."""
        return await asyncio.to_thread(self._ask, self.addresses[index], op, timeout_s, arguments)

    @staticmethod
    def _ask(address: str, op: str, timeout_s: float, arguments: dict[str, object]) -> Any:
        with SyncClient(address, timeout_s=timeout_s) as client:
            return client.call(op, arguments)

    async def status(self, index: int) -> dict[str, Any] | None:
        """A server's view of itself, None when it does not answer."""
        try:
            status: dict[str, Any] = await self.ask(index)
        except ClientError:
            return None
        return status

    async def first_read(self, index: int, query: bytes) -> None:
        """Wait until this very server answers a linearizable query."""
        while True:
            try:
                await asyncio.to_thread(self._read, self.addresses[index], query)
                return
            except ClientError:
                await asyncio.sleep(LOOK_PERIOD_S)

    @staticmethod
    def _read(address: str, query: bytes) -> None:
        with SyncClient(address, timeout_s=SETTLE_TIMEOUT_S) as client:
            client.read(query)

    async def settle(self, voters: int, indexes: range) -> int:
        """Wait until these servers agree on a leader and have applied what it committed; returns the leader."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < deadline:
            said = [await self.status(index) for index in indexes]
            found = [status for status in said if status is not None]
            leaders = {status["leader"] for status in found}
            is_whole = len(found) == len(indexes) and all(len(status["voters"]) == voters for status in found)
            if is_whole and len(leaders) == 1 and "" not in leaders:
                applied = {status["applied_index"] for status in found}
                if len(applied) == 1:
                    return next(i for i, status in zip(indexes, found, strict=True) if status["role"] == "leader")
            await asyncio.sleep(LOOK_PERIOD_S)
        raise TimeoutError(f"the servers do not agree after {SETTLE_TIMEOUT_S:g} s")

    def _stalls(self, index: int) -> Path:
        return self._folder / f"stalls-{index}.jsonl"
