"""The core's one door: founding, giving up, and what the contract promises to whoever drives it."""

from __future__ import annotations

import random

import pytest

from actors.config import RaftTiming
from actors.raft.core import RaftCore
from actors.raft.journal import RestoredLog
from actors.raft.messages import (
    Append,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    ReadIndex,
    ReadIndexReply,
    SnapshotChunk,
    SnapshotReply,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from storage.raft_messages import HardState
from tests.simulation.disk import SimDisk
from tests.unit.raft.stage import Letter, Stage, configuration
from transport.wire import decode_body, encode_body, is_urgent, kind_of

MESSAGES = [
    VoteRequest(3, 9, 2, pre=True, transfer=False),
    VoteReply(3, 4, pre=False, granted=True),
    TimeoutNow(3),
    Append(3, 7, 8, 2, 6, [(b"\x00\x90", 9, 3), (b"\x01", 10, 3)]),
    AppendReply(3, 7, True, 10),
    Heartbeat(3, 12, 6),
    HeartbeatReply(3, 12, 10),
    ReadIndex(3, 2**52),
    ReadIndexReply(3, 2**52, -1),
    SnapshotChunk(3, 8, 2, b"who", 0, 2, 12345, b"\x00\xff"),
    SnapshotReply(3, 8, 1, installed=False),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_survive_the_wire(message: object) -> None:
    """What one core says is what the other hears."""
    assert decode_body(kind_of(message), encode_body(message)) == message


def test_lanes() -> None:
    """What is large or must keep its order is bulk; what must not wait behind it is urgent."""
    bulk = {type(message) for message in MESSAGES if not is_urgent(kind_of(message))}

    assert bulk == {Append, AppendReply, SnapshotChunk, SnapshotReply}


def test_founding_a_cluster_of_one() -> None:
    """An empty disk and a configuration: leader at the next tick, and the same after a restart."""
    disk = SimDisk("s0")
    core = RaftCore("s0", disk.load(), RaftTiming(), random.Random(1), 0.0)
    assert core.role == "standby"

    core.found(0.0, configuration(["s0"]))
    core.tick(0.0)
    core.flush()
    write = core.take_write()
    assert write is not None
    disk.submit(write)
    core.written(0.0, disk.complete())
    core.flush()
    assert (core.role, core.state.engine.commit, core.leader.is_established) == ("leader", 2, True)

    again = RaftCore("s0", disk.load(), RaftTiming(), random.Random(1), 5.0)
    assert again.state.configuration == configuration(["s0"])
    assert again.state.journal.last_index == 2
    restore = again.take_restore()
    assert restore is not None
    assert (restore.index, restore.chunks) == (1, [])
    assert again.take_restore() is None


def test_abdication() -> None:
    """A leader whose disk fails leads no longer; a follower that is asked to has nothing to do."""
    stage = Stage()
    stage.elect("s0")
    stage.read("s0")
    stage.lose()

    for id_ in ("s0", "s1"):
        stage[id_].core.abdicate(stage.now)
        stage.step(id_)

    assert [stage[id_].core.role for id_ in stage.servers] == ["follower"] * 3
    assert stage["s0"].reads_failed == 1
    assert stage.state("s1").leader == "s0"


def test_deadline_is_in_the_future_after_a_tick() -> None:
    """Whoever calls tick at next_deadline never spins, whatever the role."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.read("s1")
    stage.lose()

    for one in stage.servers.values():
        for _ in range(20):
            stage.now = max(stage.now, one.core.next_deadline())
            stage.tick(one.id)
            stage.lose()
            assert one.core.next_deadline() > stage.now


def test_messages_wait_for_nothing_but_their_promise() -> None:
    """A promise is held until its write is done; what promises nothing goes ahead of it."""
    stage = Stage()
    stage.elect("s0")
    stage.slow_disks.add("s1")
    stage.propose("s0")
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()

    stage.hand(Letter("s0", "s1", Heartbeat(1, 9, 2)))

    assert [type(letter.message) for letter in stage.mail] == [HeartbeatReply]
    stage.catch_up_disk("s1")
    assert [type(letter.message) for letter in stage.mail] == [HeartbeatReply, AppendReply]


def test_restored_log_is_taken_as_it_is() -> None:
    """Commit index, term and vote are what the disk says."""
    restored = RestoredLog(HardState(4, "s2"), (1, 0), 3, [(b"\x01", 2, 1), (b"\x01", 3, 4)])

    core = RaftCore("s0", restored, RaftTiming(), random.Random(1), 0.0)

    assert (core.state.engine.term, core.state.engine.voted_for, core.state.engine.commit) == (4, "s2", 3)
    assert [index for _, index, _ in core.committed(10)] == [2, 3]
