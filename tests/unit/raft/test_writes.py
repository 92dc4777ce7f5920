"""Writes on their way to raft.db: in order, again after an error, and each with its own snapshot."""

from __future__ import annotations

from actors.raft.disk import Disk
from actors.raft.journal import Write
from storage.raft_messages import HardState, RaftWrite, RaftWritten, SnapshotSave


class Post:
    """What was sent to the persistence actor."""

    def __init__(self) -> None:
        self.sent: list[RaftWrite] = []
        self.is_full = False

    def tell(self, write: RaftWrite) -> bool:
        """Take a write, unless the mailbox is full."""
        if not self.is_full:
            self.sent.append(write)
        return not self.is_full


def snapshot(index: int) -> SnapshotSave:
    """A snapshot of two chunks."""
    return SnapshotSave(index, 1, b"", [b"a", b"b"], index, 1, discard_log=False)


def write(sequence: int, save: SnapshotSave | None = None) -> Write:
    """A write that carries at most a snapshot."""
    return Write(sequence, None, None, [], None, save)


def sequences(post: Post) -> list[int]:
    """What was sent, in order."""
    return [sent.sequence for sent in post.sent]


def test_everything_of_a_write_goes_along() -> None:
    """Chunks of a leader's snapshot too, and under our incarnation."""
    post = Post()
    disk = Disk(7, post.tell)

    disk.write(Write(3, HardState(2, "a"), 5, [(b"x", 5, 2)], 4, snapshot(10), [(0, b"chunk")]))

    assert post.sent == [RaftWrite(7, 3, HardState(2, "a"), 5, [(b"x", 5, 2)], 4, None, snapshot(10), [(0, b"chunk")])]


def test_refused_write_comes_again_before_the_next() -> None:
    """Nothing overtakes it, and nothing is done twice."""
    post = Post()
    disk = Disk(7, post.tell)
    disk.write(write(1))
    disk.write(write(2))
    assert disk.on_written(RaftWritten(7, 1, "disk full")) is None
    assert disk.on_written(RaftWritten(7, 2, "write 1 before it was refused")) is None
    disk.write(write(3))
    assert sequences(post) == [1, 2]

    disk.retry()
    assert sequences(post) == [1, 2, 1, 2, 3]

    assert [disk.on_written(RaftWritten(7, sequence)) for sequence in (1, 2, 3)] == [1, 2, 3]
    assert disk.error == ""
    disk.retry()
    assert len(post.sent) == 5


def test_write_that_comes_while_the_others_are_tried_again_is_sent_behind_them() -> None:
    """Else the next write would leave a gap, and its answer would release what the one in the gap promises."""
    post = Post()
    disk = Disk(7, post.tell)
    disk.write(write(1))
    assert disk.on_written(RaftWritten(7, 1, "disk full")) is None
    disk.retry()
    disk.write(write(2))
    assert sequences(post) == [1, 1]

    assert disk.on_written(RaftWritten(7, 1)) == 1
    disk.write(write(3))

    assert sequences(post) == [1, 1, 2, 3]


def test_answers_of_another_incarnation_do_not_count() -> None:
    """They speak of writes of a core that is gone."""
    post = Post()
    disk = Disk(7, post.tell)
    disk.write(write(1))

    assert disk.on_written(RaftWritten(6, 1)) is None
    assert disk.on_written(RaftWritten(7, 1)) == 1


def test_full_mailbox_is_an_error_too() -> None:
    """The write is kept and sent later."""
    post = Post()
    disk = Disk(7, post.tell)
    post.is_full = True
    disk.write(write(1))
    assert "full" in disk.error

    post.is_full = False
    disk.retry()

    assert sequences(post) == [1]
    assert disk.on_written(RaftWritten(7, 1)) == 1
    assert disk.error == ""


def test_write_that_a_full_mailbox_refused_is_not_forgotten_for_one_before_it() -> None:
    """What was sent before succeeds; the error stays until what was not sent is on disk, and nothing overtakes it."""
    post = Post()
    disk = Disk(7, post.tell)
    disk.write(write(1))
    post.is_full = True
    disk.write(write(2))
    post.is_full = False
    disk.write(write(3))

    assert disk.on_written(RaftWritten(7, 1)) == 1
    assert disk.error != ""
    assert sequences(post) == [1]
    disk.retry()
    assert sequences(post) == [1, 2, 3]
    assert disk.on_written(RaftWritten(7, 2)) == 2
    assert disk.error == ""


def test_cluster_id_goes_with_the_next_write() -> None:
    """Once."""
    post = Post()
    disk = Disk(7, post.tell)
    disk.store_cluster_id("c1")

    disk.write(write(1))
    disk.write(write(2))

    assert [sent.cluster_id for sent in post.sent] == ["c1", None]
