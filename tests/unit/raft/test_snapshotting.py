"""When a snapshot of our own is due, and what becomes of one that finds no room."""

from __future__ import annotations

from collections.abc import Iterable

from actors.config import RaftTiming
from actors.raft.applier import Applier
from actors.raft.snapshotting import PAUSE_AFTER_FAILURE_S, Snapshotting, _next_chunk
from actors.runtime.actor import Context
from storage.raft_messages import SnapshotSave
from storage.state_machine import StateMachine
from tests.unit.raft.stage import Stage


class FakeContext:
    """Time, and what was spawned; nothing of it runs."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.spawned = 0

    def now(self) -> float:
        """The time."""
        return self.time

    def spawn(self, work: object, *, name: str) -> None:
        """Count, and forget."""
        self.spawned += 1
        work.close()  # type: ignore[attr-defined]


class Empty(StateMachine):
    """A state machine without a state."""

    def apply(self, command: bytes) -> bytes:
        return b""

    def read(self, query: bytes) -> bytes:
        return b""

    def snapshot(self) -> Iterable[bytes]:
        return [b"state"]

    def restore(self, chunks: Iterable[bytes]) -> None:
        return None


def bench(snapshot_size: int) -> tuple[Snapshotting, FakeContext, Applier]:
    """Snapshotting with a last snapshot of this size at index 1."""
    core = Stage(voters=1)["s0"].core
    last = core.state.snapshot
    assert last is not None
    core.state.snapshot = SnapshotSave(1, 0, last.configuration, [], 1, 0, discard_log=False, size=snapshot_size)
    context, applier = FakeContext(), Applier(Empty())
    timing = RaftTiming(snapshot_entries=100, snapshot_bytes=10_000)
    made: Context = context  # type: ignore[assignment]
    return Snapshotting(made, core, applier, timing), context, applier


def test_a_small_state_is_due_by_entries_or_bytes() -> None:
    """Whichever comes first."""
    snapshotting, context, applier = bench(snapshot_size=0)
    applier.applied = 100
    snapshotting.consider()
    assert context.spawned == 0
    applier.applied = 101
    snapshotting.consider()
    assert context.spawned == 1

    snapshotting, context, applier = bench(snapshot_size=0)
    applier.applied, applier.bytes_since_snapshot = 3, 10_000
    snapshotting.consider()
    assert context.spawned == 1


def test_a_large_state_is_not_written_anew_for_a_few_entries() -> None:
    """Only when the log has grown to half its size, the overhead of entries included: else a server with a large state
    and small writes would write nothing but snapshots."""
    snapshotting, context, applier = bench(snapshot_size=1_000_000)
    applier.applied, applier.bytes_since_snapshot = 1_001, 200_000
    snapshotting.consider()
    assert context.spawned == 0

    applier.applied, applier.bytes_since_snapshot = 1_501, 200_000
    snapshotting.consider()
    assert context.spawned == 1


def test_none_is_made_on_the_way_through_a_long_log() -> None:
    """After a start: the server is waited for, and would make another one soon."""
    snapshotting, context, applier = bench(snapshot_size=0)
    applier.applied = 1_000
    snapshotting._core.state.engine.restart_at(1_101)
    snapshotting.consider()
    assert context.spawned == 0

    applier.applied = 1_001
    snapshotting.consider()
    assert context.spawned == 1


def test_a_state_machine_that_cannot_make_a_snapshot_does_not_take_the_server_down() -> None:
    """It is said why, at once or in the midst of it, and it is tried again after a while."""
    snapshotting, context, applier = bench(snapshot_size=0)

    def fails() -> Iterable[bytes]:
        raise ValueError("boom")

    applier.machine.snapshot = fails  # type: ignore[method-assign]
    applier.applied = 500
    snapshotting.consider()
    snapshotting.consider()
    assert context.spawned == 0
    assert _next_chunk(map(int, ["7", "x"])) == (7, "")  # type: ignore[arg-type, comparison-overlap]
    assert _next_chunk(map(int, ["x"]))[1].startswith("the state machine raised ValueError: ")  # type: ignore[arg-type]

    del applier.machine.snapshot
    context.time += PAUSE_AFTER_FAILURE_S
    snapshotting.consider()
    assert context.spawned == 1


def test_a_snapshot_that_found_no_room_is_not_tried_at_every_entry() -> None:
    """But again after a while."""
    snapshotting, context, applier = bench(snapshot_size=0)
    applier.applied = 500
    snapshotting.give_up(500, "the disk is full")
    snapshotting.consider()
    assert context.spawned == 0

    context.time += PAUSE_AFTER_FAILURE_S
    snapshotting.consider()
    assert context.spawned == 1
