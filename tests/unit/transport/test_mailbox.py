"""The mailbox: bounded, two lanes, never waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from transport.mailbox import Mailbox


@pytest.fixture
def ctx() -> Iterator[zmq.SyncContext]:
    """A ZeroMQ context of the test's own."""
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def test_frames_come_out_in_order(ctx: zmq.SyncContext) -> None:
    """A lane is a queue: what went in first comes out first, whatever the batch size."""
    mailbox = Mailbox(ctx, "raft")
    for number in range(10):
        assert mailbox.put(b"%d" % number, urgent=False)

    assert mailbox.drain(3) + mailbox.drain(100) == [b"%d" % number for number in range(10)]
    assert mailbox.drain(100) == []
    mailbox.close()


def test_control_lane_goes_first(ctx: zmq.SyncContext) -> None:
    """A control frame overtakes every data frame still in the mailbox."""
    mailbox = Mailbox(ctx, "raft")
    mailbox.put(b"data 1", urgent=False)
    mailbox.put(b"data 2", urgent=False)
    mailbox.put(b"stop", urgent=True)

    assert mailbox.drain(2) == [b"stop", b"data 1"]
    assert mailbox.drain(2) == [b"data 2"]
    mailbox.close()


def test_a_full_lane_refuses_at_once_and_takes_again_after_one_read(ctx: zmq.SyncContext) -> None:
    """The limit is exact, the sender learns at once, and one free place is enough for one more frame."""
    mailbox = Mailbox(ctx, "raft", limit=100, control_limit=2)
    assert [mailbox.put(b"x", urgent=False) for _ in range(101)] == [True] * 100 + [False]
    assert [mailbox.put(b"x", urgent=True) for _ in range(3)] == [True, True, False]

    mailbox.drain(3)

    assert [mailbox.put(b"x", urgent=False) for _ in range(2)] == [True, False]
    assert mailbox.depth == 100
    assert mailbox.stats()["refused"] == 3
    mailbox.close()


def test_bytes_are_bounded_too(ctx: zmq.SyncContext) -> None:
    """Few large frames fill a lane as many small ones do, yet a single frame of any size gets through."""
    mailbox = Mailbox(ctx, "raft", limit_bytes=1000)
    assert mailbox.put(b"x" * 5000, urgent=False)
    assert not mailbox.put(b"x", urgent=False)

    assert len(mailbox.drain(1)[0]) == 5000

    assert mailbox.put(b"x" * 600, urgent=False)
    assert not mailbox.put(b"x" * 600, urgent=False)
    mailbox.close()


def test_mailboxes_of_one_name_do_not_meet(ctx: zmq.SyncContext) -> None:
    """Two mailboxes of one name in one context (two servers in one process, a test) are separate."""
    one, two = Mailbox(ctx, "raft"), Mailbox(ctx, "raft")
    one.put(b"one", urgent=False)

    assert two.drain(10) == []
    assert one.drain(10) == [b"one"]
    one.close()
    two.close()
