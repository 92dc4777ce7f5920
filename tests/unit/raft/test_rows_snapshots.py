"""docs/design.md, rows 16 and 17: snapshots, on their way to another server and at a restart."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from msgspec.structs import replace

from actors.raft.engine import Engine
from actors.raft.messages import Append, AppendReply, SnapshotChunk, SnapshotReply
from actors.raft.snapshots import RESEND_AFTER_S, TransferProgress
from tests.unit.raft.stage import Letter, Stage


def stage_with_a_tail(tail: int) -> Stage:
    """s2 was away while s0 wrote 30 commands and made a snapshot with that many of them behind it."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s2")
    stage.propose("s0", 30)
    stage.settle()
    stage["s0"].snapshot(stage.now, tail=tail)
    stage.step("s0")
    stage.cut_off.clear()
    return stage


def lagging_stage() -> Stage:
    """s0 has cut its whole log: only a snapshot of several chunks helps s2."""
    stage = stage_with_a_tail(0)
    stage.lose()
    assert stage.state("s0").journal.anchor_index == 32
    return stage


def chunks_for(stage: Stage) -> list[SnapshotChunk]:
    """Every chunk of s0's snapshot, in order."""
    snapshot = stage.state("s0").snapshot
    assert snapshot is not None
    chunks = stage["s0"].disk.chunks(snapshot.index)
    return [
        SnapshotChunk(
            1, snapshot.index, snapshot.term, snapshot.configuration, offset, len(chunks), zlib.crc32(data), data
        )
        for offset, data in enumerate(chunks)
    ]


def first_chunks(stage: Stage) -> None:
    """Have the leader find out that s2 needs a snapshot: its first window of chunks is on its way."""
    while not stage.letters(SnapshotChunk):
        stage.beat("s0")
        stage.deliver()
        stage.deliver()


# --- row 16 ----------------------------------------------------------------------------------------------------------


def test_row_16_lagging_server_gets_a_snapshot_and_goes_on() -> None:
    """Whole, and followed by entries; it is said to be installed once it is on disk."""
    stage = lagging_stage()
    stage.slow_disks.add("s2")

    stage.pass_time(0.5)
    assert not any(reply.installed for reply in stage.letters(SnapshotReply))
    assert stage.state("s0").engine.match_index("s2") < 32
    stage.catch_up_disk("s2")
    stage.propose("s0")
    stage.pass_time(0.5)

    assert stage["s2"].values == stage["s0"].values
    assert stage.last_index("s2") == stage.last_index("s0")
    assert stage["s2"].disk.snapshot is not None
    assert stage["s2"].disk.snapshot.index == 32


def test_row_16_half_a_snapshot_is_not_installed() -> None:
    """Without its last chunk nothing happens to log, commit index or state."""
    stage = lagging_stage()

    for chunk in chunks_for(stage)[:-1]:
        stage.hand(Letter("s0", "s2", chunk))

    assert (stage.commit("s2"), stage.last_index("s2"), stage["s2"].values) == (2, 2, [])


def test_row_16_broken_chunk_is_not_taken() -> None:
    """A chunk whose checksum is wrong, or that is none of the snapshot, does not count."""
    stage = lagging_stage()
    chunks = chunks_for(stage)

    for chunk in chunks[:-1]:
        stage.hand(Letter("s0", "s2", chunk))
    stage.hand(Letter("s0", "s2", replace(chunks[-1], data=b"v99")))
    stage.hand(Letter("s0", "s2", replace(chunks[-1], offset=-1)))
    stage.hand(Letter("s0", "s2", replace(chunks[-1], total=0)))

    assert stage.commit("s2") == 2
    stage.hand(Letter("s0", "s2", chunks[-1]))
    assert stage.commit("s2") == 32


def test_row_16_snapshot_of_an_older_term_is_refused() -> None:
    """A deposed leader's snapshot changes nothing."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    stage.cut_off.add("s0")
    stage.elect("s1")
    stage.lose()
    stage.cut_off.clear()
    assert stage.term("s2") == 2

    for chunk in chunks:
        stage.hand(Letter("s0", "s2", chunk))

    assert stage["s2"].disk.snapshot is not None
    assert stage["s2"].disk.snapshot.index == 1
    assert all(reply == SnapshotReply(2, 0, 0, False) for reply in stage.letters(SnapshotReply, source="s2"))


def test_row_16_chunk_of_a_newer_term_is_heard_of_first() -> None:
    """Who hears of a new leader by a chunk has its term on disk before it answers (Raft §5.1)."""
    stage = lagging_stage()
    stage.slow_disks.add("s2")

    stage.hand(Letter("s1", "s2", replace(chunks_for(stage)[0], term=2)))

    assert (stage.term("s2"), stage.state("s2").leader) == (2, "s1")
    assert not stage.letters(SnapshotReply)
    stage.catch_up_disk("s2")
    assert stage["s2"].disk.state.term == 2
    assert stage.letters(SnapshotReply) == [SnapshotReply(2, 32, 1, False)]


def test_row_16_late_snapshot_cuts_nothing() -> None:
    """A snapshot of what is committed here is said to be there, and is not installed again."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    stage.propose("s0", 3)
    stage.settle()
    stage.beat("s0")
    stage.settle()
    assert stage.last_index("s1") == 35

    for chunk in chunks:
        stage.hand(Letter("s0", "s1", chunk))

    assert stage.last_index("s1") == 35
    replies = stage.letters(SnapshotReply, source="s1")
    assert replies
    assert all(reply.installed and reply.index == 32 for reply in replies)


def test_row_16_matching_tail_stays() -> None:
    """A follower that has the snapshot's last entry, uncommitted, keeps what follows it (Raft §7)."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s1")
    stage.propose("s0", 10)
    entries = stage.state("s0").journal.entries(3, 12)
    stage.settle()
    stage.cut_off.clear()
    stage["s0"].snapshot(stage.now, tail=0)
    stage.propose("s0", 2)
    tail = stage.state("s0").journal.entries(13, 14)
    stage.lose()
    stage.hand(Letter("s0", "s1", Append(1, 1, 2, 1, 2, entries + tail)))
    assert (stage.commit("s1"), stage.last_index("s1")) == (2, 14)

    for chunk in chunks_for(stage):
        stage.hand(Letter("s0", "s1", chunk))

    assert stage.commit("s1") == 12
    assert stage.state("s1").journal.entries(13, 14) == tail
    stage.restart("s1")
    assert stage.last_index("s1") == 14


def test_row_16_tail_that_does_not_match_goes() -> None:
    """A diverged log is replaced by the snapshot, in memory and on disk."""
    stage = Stage(voters=5)
    stage.elect("s0")
    stage.propose("s0", 40)
    stage.deliver(lambda letter: letter.target == "s4")
    stage.lose()
    stage.cut_off = {"s0", "s4"}
    stage.elect("s1")
    stage.propose("s1", 30)
    stage.settle()
    stage["s1"].snapshot(stage.now, tail=0)
    stage.step("s1")
    assert (stage.last_index("s4"), stage.last_index("s1")) == (42, 33)
    stage.cut_off = {"s0"}

    stage.pass_time(0.5)

    assert stage.state("s4").journal[:] == stage.state("s1").journal[:]
    assert (stage["s4"].disk.state.last_index, stage["s4"].disk.state.last_term) == (33, 2)
    assert stage["s4"].values == stage["s1"].values


def test_row_16_engine_never_sends_or_gets_a_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one message with ``serialized`` passes through the engine while a snapshot is installed."""
    seen: list[dict[str, Any]] = []
    receive = Engine.receive

    def note(self: Engine, peer: str, message: dict[str, Any]) -> None:
        seen.append(message)
        receive(self, peer, message)

    monkeypatch.setattr(Engine, "receive", note)
    stage = lagging_stage()

    stage.pass_time(1.0)

    assert stage["s2"].values == stage["s0"].values
    assert seen
    assert not any("serialized" in message or "transmission" in message for message in seen)


def test_snapshot_begins_anew_for_a_receiver_that_lost_its_chunks() -> None:
    """It no longer has what it had acknowledged; the leader goes back to the one it wants."""
    stage = lagging_stage()
    first_chunks(stage)
    stage.deliver(lambda letter: isinstance(letter.message, SnapshotChunk))
    stage.deliver(lambda letter: isinstance(letter.message, SnapshotReply))
    assert stage["s0"].core.sender.progress_of("s2") == TransferProgress(32, 4, 10, 101)
    stage.lose()

    stage["s2"].disk.source = None
    stage.restart("s2")
    stage.pass_time(3 * RESEND_AFTER_S)

    assert stage["s2"].values == stage["s0"].values
    assert stage["s0"].core.sender.progress_of("s2") is None


def test_own_snapshot_does_not_interrupt_a_newer_one() -> None:
    """A transfer that had to begin anew for it would wait for the leader to notice, and cost all that had arrived."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    stage.state("s2").engine.learn_commit(stage.last_index("s2"))
    for chunk in chunks[:2]:
        stage.hand(Letter("s0", "s2", chunk))
    for chunk in chunks[2:5]:
        stage["s2"].core.receive(stage.now, "s0", chunk)  # in the turn, and so in the write, of the snapshot
    stage["s2"].snapshot(stage.now, tail=0)
    stage.step("s2")
    kept = stage.state("s2").snapshot
    assert kept is not None
    assert kept.index == 2
    stage.restart("s2")

    for chunk in chunks[5:]:
        stage.hand(Letter("s0", "s2", chunk))

    assert stage["s2"].values == stage["s0"].values


def test_lost_chunk_is_sent_again() -> None:
    """When nothing moves for a while the chunk that is wanted is sent once more."""
    stage = lagging_stage()
    first_chunks(stage)
    stage.lose(lambda letter: isinstance(letter.message, SnapshotChunk) and letter.message.offset == 1)

    stage.pass_time(2 * RESEND_AFTER_S)

    assert stage["s2"].values == stage["s0"].values


def test_chunks_of_two_leaders_do_not_mix() -> None:
    """The same state cut elsewhere: with another leader's chunks the gathering begins anew."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    for chunk in chunks[:5]:
        stage.hand(Letter("s0", "s2", chunk))
    later = [replace(chunk, term=2, total=len(chunks)) for chunk in chunks]

    for chunk in later[5:]:
        stage.hand(Letter("s1", "s2", chunk))
    assert stage.commit("s2") == 2

    for chunk in later[:5]:
        stage.hand(Letter("s1", "s2", chunk))
    assert stage.commit("s2") == 32


def test_older_snapshot_does_not_interrupt_a_newer_one() -> None:
    """A chunk of a snapshot that the leader has replaced meanwhile is late, and is dropped."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    newer = [replace(chunk, index=33, total=len(chunks)) for chunk in chunks]
    for chunk in newer[:-1]:
        stage.hand(Letter("s0", "s2", chunk))
    stage.lose()

    stage.hand(Letter("s0", "s2", chunks[0]))

    assert not stage.letters(SnapshotReply)
    stage.hand(Letter("s0", "s2", newer[-2]))
    (reply,) = stage.letters(SnapshotReply)
    assert (reply.index, reply.next_offset) == (33, len(chunks) - 1)


# --- row 17 ----------------------------------------------------------------------------------------------------------


def test_row_17_restart_keeps_the_log_around_a_snapshot() -> None:
    """A log that begins before its snapshot, and goes on behind it, is all there after a restart."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 20)
    stage.settle()
    stage["s0"].snapshot(stage.now, tail=5)
    stage.propose("s0", 2)
    stage.settle()
    before = stage.state("s0").journal[:]
    assert (before[0][1], before[-1][1]) == (17, 24)

    stage.restart("s0")
    stage.step("s0")

    assert stage.state("s0").journal[1:] == before[1:]
    assert stage.state("s0").journal.anchor_index == 17
    assert stage["s0"].core.applied_index >= 22
    assert stage["s0"].values == stage["s1"].values[: len(stage["s0"].values)]


def test_row_17_snapshot_and_truncation_are_one_write() -> None:
    """No crash leaves one without the other."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 20)
    stage.settle()
    stage.slow_disks.add("s0")

    stage["s0"].snapshot(stage.now, tail=5)
    stage.step("s0")

    (write,) = stage["s0"].disk.on_its_way
    assert write.snapshot is not None
    assert (write.snapshot.index, write.snapshot.keep_from) == (22, 17)
    assert stage.state("s0").journal.anchor_index == 17
    stage.restart("s0")
    assert stage.state("s0").journal.anchor_index == 1
    assert stage.last_index("s0") == 22


def test_row_17_snapshot_of_entries_that_are_not_on_disk_yet() -> None:
    """A follower may apply, and cut, what its own slow disk does not have: the write says where the log goes on."""
    stage = Stage()
    stage.elect("s0")
    stage.slow_disks.add("s1")
    stage.propose("s0", 10)
    stage.settle()
    stage.beat("s0")
    stage.settle()
    assert stage["s1"].core.applied_index == 12
    assert stage["s1"].disk.state.last_index < 12

    stage["s1"].snapshot(stage.now, tail=2)
    stage.catch_up_disk("s1")
    stage.restart("s1")
    stage.step("s1")

    assert stage.last_index("s1") == 12
    assert stage["s1"].values == stage["s0"].values


def test_slow_follower_gets_entries_from_the_tail() -> None:
    """Behind the snapshot, but not behind the tail: entries, no snapshot."""
    stage = stage_with_a_tail(30)

    stage.pass_time(0.4)

    assert stage["s2"].values == stage["s0"].values
    assert stage.state("s2").journal.anchor_index == 1
    assert not stage.letters(AppendReply)
