"""The least that a lone put can take: its four messages and its two synced transactions, with nothing in between.

    python -m bench.floor [--calls 2000] [--repeats 5]

A caller, a leader and a follower are processes with one ZeroMQ socket to each other, read from asyncio's loop as the
links are.  The leader sends what it is asked for to the follower, both write it to a raft.db of their own, and the
answer goes back the same way.  There is no Raft, no actor, no session, no codec: what a lone put takes beyond this is
what those cost.  Prints medians without and with the writes, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import zmq

from bench.loads import VALUE
from bench.ports import HOST, Ports
from storage.raft_db import RaftDb
from storage.raft_messages import HardState, RaftWrite

_WARM_UP_CALLS: Final = 300
_NOBLOCK: Final = int(zmq.NOBLOCK)
_SPAWN: Final = multiprocessing.get_context("spawn")


class _Disk:
    """Entries written one at a time; without a folder, not at all."""

    def __init__(self, path: Path | None) -> None:
        self._sequence = 1
        self._db: RaftDb | None = None
        if path is not None:
            RaftDb.create(path, "floor")
            self._db = RaftDb(path)
            self._db.write(RaftWrite(1, 1, hard_state=HardState(1, "floor")))

    def write(self, data: bytes) -> None:
        self._sequence += 1
        if self._db is not None:
            self._db.write(RaftWrite(1, self._sequence, append=[(data, self._sequence, 1)]))


class _Socket:
    """Whatever comes in is given to a callback."""

    def __init__(self, socket: zmq.SyncSocket, on_message: Callable[[list[bytes]], None]) -> None:
        self._socket = socket
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(socket.fileno(), self._read)

    def send(self, *parts: bytes) -> None:
        self._socket.send_multipart(parts, _NOBLOCK)
        self._loop.call_soon(self._read)

    def _read(self) -> None:
        while int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            self._on_message(self._socket.recv_multipart(_NOBLOCK))


async def _lead(address: str, follower: str, path: Path | None) -> None:
    disk, ctx = _Disk(path), zmq.Context()
    asked: list[bytes] = []

    def on_request(parts: list[bytes]) -> None:
        asked.append(parts[0])
        to_follower.send(parts[1])
        disk.write(parts[1])

    # The acknowledgement waits in its socket until the leader's own write is done.
    to_follower = _Socket(_dial(ctx, follower), lambda _: from_caller.send(asked.pop(), b"done"))
    from_caller = _Socket(_listen(ctx, address), on_request)
    await asyncio.Event().wait()


async def _follow(address: str, path: Path | None) -> None:
    disk = _Disk(path)

    def on_entry(parts: list[bytes]) -> None:
        disk.write(parts[1])
        from_leader.send(parts[0], b"written")

    from_leader = _Socket(_listen(zmq.Context(), address), on_entry)
    await asyncio.Event().wait()


def _serve(role: str, addresses: tuple[str, str], path: Path | None) -> None:
    leader, follower = addresses
    asyncio.run(_lead(leader, follower, path) if role == "leader" else _follow(follower, path))


def _listen(ctx: zmq.SyncContext, address: str) -> zmq.SyncSocket:
    socket = ctx.socket(zmq.ROUTER)
    socket.bind(address)
    return socket


def _dial(ctx: zmq.SyncContext, address: str) -> zmq.SyncSocket:
    socket = ctx.socket(zmq.DEALER)
    socket.connect(address)
    return socket


def measure(folder: Path | None, ports: Ports, calls: int) -> float:
    """The median time of a call, in microseconds; without a folder nothing is written."""
    base = ports.base([0, 1])
    addresses = f"tcp://{HOST}:{base}", f"tcp://{HOST}:{base + 1}"
    with ExitStack() as stack:
        for role in ("leader", "follower"):
            path = folder / f"{role}.db" if folder is not None else None
            process = _SPAWN.Process(target=_serve, args=(role, addresses, path), daemon=True)
            process.start()
            stack.callback(process.kill)
        caller = stack.enter_context(zmq.Context().socket(zmq.DEALER))
        caller.linger = 0
        caller.connect(addresses[0])
        took_s = [_call(caller) for _ in range(_WARM_UP_CALLS + calls)][_WARM_UP_CALLS:]
    return statistics.median(took_s) * 1e6


def _call(caller: zmq.SyncSocket) -> float:
    began = time.perf_counter()
    caller.send(VALUE)
    caller.recv()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    ports, bare_us, written_us = Ports(), [], []
    for _ in range(options.repeats):
        bare_us.append(measure(None, ports, options.calls))
        with tempfile.TemporaryDirectory(prefix="quorate-floor-") as folder:
            written_us.append(measure(Path(folder), ports, options.calls))
    for what, each in (("four messages", bare_us), ("with two synced transactions", written_us)):
        print(f"{what}: {statistics.median(each):.0f} us ({min(each):.0f} to {max(each):.0f})")


if __name__ == "__main__":
    main()
