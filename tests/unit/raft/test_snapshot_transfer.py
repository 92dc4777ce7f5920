"""A snapshot on its way to a server that is far behind: what it survives, and what is let go."""

from __future__ import annotations

from msgspec.structs import replace

from actors.raft.messages import SnapshotChunk, SnapshotReply
from actors.raft.snapshots import ABANDON_AFTER_S, AHEAD_CHUNKS_MAX, WINDOW_CHUNKS
from tests.unit.raft.stage import Letter, Stage
from tests.unit.raft.test_rows_snapshots import chunks_for, first_chunks, lagging_stage


def stage_with_a_window_sent() -> Stage:
    """The first window of chunks is on s2's disk and acknowledged; what was on its way behind it is lost."""
    stage = lagging_stage()
    first_chunks(stage)
    stage.deliver(lambda letter: isinstance(letter.message, SnapshotChunk))
    stage.deliver(lambda letter: isinstance(letter.message, SnapshotReply))
    stage.lose()
    return stage


def assert_only_the_rest_is_sent(stage: Stage) -> None:
    """The transfer goes on behind the first window, and comes to its end."""
    sent: list[int] = []
    for _ in range(200):
        stage.beat("s0")
        sent += [chunk.offset for chunk in stage.letters(SnapshotChunk)]
        stage.settle()

    assert stage["s2"].values == stage["s0"].values
    assert sent
    assert min(sent) >= WINDOW_CHUNKS


def test_chunk_is_acknowledged_once_it_is_on_disk() -> None:
    """Nothing of the snapshot stays in memory, so what is acknowledged must be somewhere else."""
    stage = lagging_stage()
    stage.slow_disks.add("s2")
    first_chunks(stage)
    stage.deliver(lambda letter: isinstance(letter.message, SnapshotChunk))
    assert not stage.letters(SnapshotReply)
    assert not stage["s2"].disk.staged

    stage.catch_up_disk("s2")

    assert len(stage["s2"].disk.staged) == WINDOW_CHUNKS
    assert [reply.next_offset for reply in stage.letters(SnapshotReply)] == [1, 2, 3, 4]


def test_no_chunks_stay_in_memory() -> None:
    """Neither with who makes a snapshot nor with who was sent one."""
    stage = lagging_stage()
    stage.pass_time(1.0)
    for id_ in ("s0", "s2"):
        snapshot = stage.state(id_).snapshot
        assert snapshot is not None
        assert (snapshot.index, snapshot.chunks, snapshot.total) == (32, [], 10)
    assert stage["s2"].values == stage["s0"].values


def test_transfer_goes_on_where_it_was_after_the_link_was_cut() -> None:
    """Chunks that arrived are not sent again."""
    stage = stage_with_a_window_sent()
    stage.cut_off.add("s2")
    stage.pass_time(5.0)
    stage.lose()
    stage.cut_off.clear()

    assert_only_the_rest_is_sent(stage)


def test_transfer_goes_on_where_it_was_after_the_receiver_was_killed() -> None:
    """What is on its disk is not sent again."""
    stage = stage_with_a_window_sent()
    stage.restart("s2")

    assert_only_the_rest_is_sent(stage)


def test_a_leader_that_forgot_the_transfer_learns_what_has_arrived() -> None:
    """It offers the first chunks of the same snapshot once more, and is told to go on behind what is on the disk."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    for chunk in chunks[:7]:
        stage.hand(Letter("s0", "s2", chunk))
    stage.restart("s2")
    stage.lose()

    stage.hand(Letter("s0", "s2", chunks[0]))

    assert [(reply.index, reply.next_offset) for reply in stage.letters(SnapshotReply)] == [(32, 7)]


def test_chunks_of_another_snapshot_are_not_gone_on_with() -> None:
    """After a restart too: what another leader sends begins anew."""
    stage = lagging_stage()
    chunks = chunks_for(stage)
    for chunk in chunks[:-1]:
        stage.hand(Letter("s0", "s2", chunk))
    stage.restart("s2")
    of_another = [replace(chunk, term=2) for chunk in chunks]

    stage.hand(Letter("s1", "s2", of_another[-1]))
    assert stage.commit("s2") == 2
    for chunk in of_another[:-1]:
        stage.hand(Letter("s1", "s2", chunk))

    assert stage.commit("s2") == 32
    assert stage["s2"].values == stage["s0"].values


def test_transfer_stays_with_its_snapshot_when_there_is_a_newer_one() -> None:
    """Else a state that takes longer to send than to make anew would never arrive."""
    stage = lagging_stage()
    first_chunks(stage)
    stage.propose("s0", 8)
    stage.deliver(lambda letter: letter.target == "s1")
    stage.deliver(lambda letter: letter.source == "s1")
    stage["s0"].snapshot(stage.now, tail=0)
    stage.step("s0")
    newest = stage.state("s0").snapshot
    assert newest is not None
    assert newest.index > 32
    assert stage["s0"].core.sender.in_use == {32}

    stage.pass_time(1.0)

    assert stage["s0"].core.sender.in_use == set()
    assert stage["s2"].values == stage["s0"].values


def test_who_is_silent_for_long_is_given_up_and_taken_up_again() -> None:
    """A dead server must not have an old snapshot kept for it, and one that is back gets what it needs."""
    stage = lagging_stage()
    first_chunks(stage)
    assert stage["s0"].core.sender.in_use == {32}
    stage.cut_off.add("s2")

    stage.pass_time(ABANDON_AFTER_S + 1.0)
    stage.lose()
    assert stage["s0"].core.sender.in_use == set()
    assert not stage.letters(SnapshotChunk)

    stage.cut_off.clear()
    stage.pass_time(5.0)
    assert stage["s2"].values == stage["s0"].values


def test_chunks_far_ahead_are_not_kept() -> None:
    """Memory stays bounded, whatever order they come in."""
    stage = lagging_stage()
    (first, *_) = chunks_for(stage)

    for offset in range(1, 100):
        stage.hand(Letter("s0", "s2", replace(first, offset=offset, total=100)))

    assert len(stage["s2"].core.receiver._ahead) == AHEAD_CHUNKS_MAX - 1


def test_entries_wait_for_the_snapshot_to_be_restored() -> None:
    """It is restored once its write is done; until then nothing behind it is applied."""
    stage = lagging_stage()
    stage.slow_disks.add("s2")
    for chunk in chunks_for(stage):
        stage.hand(Letter("s0", "s2", chunk))
    core = stage["s2"].core
    assert core.applied_index == 32
    assert core.take_restore() is None
    assert core.committed(100) == []

    stage.catch_up_disk("s2")

    assert stage["s2"].values == stage["s0"].values
