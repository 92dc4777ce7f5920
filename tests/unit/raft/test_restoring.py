"""Setting the state machine to a snapshot: in a thread, from chunks that the loop reads."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest

from actors.raft.restoring import Restoring
from actors.runtime.actor import Context
from storage.raft_messages import SnapshotPiece, SnapshotRead, SnapshotSave
from storage.state_machine import StateMachine


class Joined(StateMachine):
    """Its state is what it was restored from."""

    def __init__(self) -> None:
        self.state = b""

    def apply(self, command: bytes) -> bytes:
        return b""

    def read(self, query: bytes) -> bytes:
        return self.state

    def snapshot(self) -> Iterable[bytes]:
        return [self.state]

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.state = b"".join(chunks)


class House:
    """Stands for the actor's context and for the persistence actor, whose snapshots are the dictionary."""

    def __init__(self, snapshots: dict[int, list[bytes]]) -> None:
        self.snapshots = snapshots
        self.replaced_before: tuple[int, int] | None = None
        """Before this chunk is read, the snapshot at this index replaces all others: (chunk, index)."""
        self.tasks: list[asyncio.Task[None]] = []
        self.restored: list[tuple[bytes, int]] = []
        self.asks: list[SnapshotRead] = []
        self.asked = asyncio.Event()
        context: Context = self  # type: ignore[assignment]
        self.restoring = Restoring(context, Joined, self._done, self._replaced)

    def now(self) -> float:
        """The time."""
        return 0.0

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run it."""
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))

    def ref(self, name: str) -> House:
        """The persistence actor."""
        assert name == "persistence"
        return self

    async def ask(self, wanted: SnapshotRead, *, timeout_s: float) -> SnapshotPiece:
        """Read a chunk."""
        self.asks.append(wanted)
        self.asked.set()
        if self.replaced_before is not None and wanted.number == self.replaced_before[0]:
            newest = self.replaced_before[1]
            self.snapshots = {newest: self.snapshots[newest]}
        chunks = self.snapshots.get(wanted.index)
        return SnapshotPiece(None if chunks is None else chunks[wanted.number])

    def begin(self, index: int) -> None:
        """Restore the snapshot at an index."""
        save = SnapshotSave(index, 1, b"", [], index, 1, discard_log=False, staged=len(self.snapshots[index]))
        self.restoring.begin(save)

    def _done(self, machine: StateMachine, index: int) -> None:
        self.restored.append((machine.read(b""), index))

    def _replaced(self) -> None:
        self.begin(max(self.snapshots))


async def test_chunks_come_one_by_one() -> None:
    """In order, each once, and the machine is handed over whole."""
    house = House({7: [b"a", b"b", b"c"]})
    house.begin(7)
    assert house.restoring.is_under_way
    await house.tasks[0]

    assert house.restored == [(b"abc", 7)]
    assert house.asks == [SnapshotRead(7, number) for number in range(3)]
    assert not house.restoring.is_under_way


async def test_a_newer_snapshot_takes_the_place_of_one_that_is_being_restored() -> None:
    """A server that starts with an old one and is sent a newer one at once: nothing crashes, the newer one counts."""
    house = House({7: [b"a", b"b", b"c"], 9: [b"d", b"e"]})
    house.replaced_before = (1, 9)
    house.begin(7)
    await house.tasks[0]
    await house.tasks[1]

    assert house.restored == [(b"de", 9)]
    assert not house.restoring.is_under_way


async def test_the_thread_ends_with_its_actor() -> None:
    """It would otherwise read a large snapshot to its end for nobody."""
    house = House({7: [b"a"] * 1000})
    house.begin(7)
    await house.asked.wait()
    house.tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await house.tasks[0]
    await asyncio.get_running_loop().shutdown_default_executor()

    assert len(house.asks) < 1000
    assert house.restored == []
