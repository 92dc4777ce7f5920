"""docs/design.md, rows 18, 19 and 20: applying, answering and reading."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from actors.raft.applier import Applier
from actors.raft.entries import ForeignEntryError, decode_commands, encode_commands
from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply, ReadIndex, ReadIndexReply
from storage.kv import KeyValueStore
from tests.unit.raft.stage import Letter, Stage

# --- row 18: the apply loop ------------------------------------------------------------------------------------------


class Bomb:
    """Unpickled, it says so."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return pytest.fail, ("an entry was unpickled",)


def test_row_18_backlog_is_applied_in_bounded_steps() -> None:
    """However much is committed, one step is as large as its caller says."""
    stage = Stage(voters=1)
    stage.elect("s0")
    core = stage["s0"].core
    for _ in range(20):
        core.propose(stage.now, encode_commands([b"x"]))
    core.flush()
    write = core.take_write()
    assert write is not None
    core.written(stage.now, write.sequence)
    core.flush()
    assert core.state.engine.commit == 22

    assert [index for _, index, _ in core.committed(5)] == [3, 4, 5, 6, 7]
    core.applied(7)
    assert [index for _, index, _ in core.committed(5)] == [8, 9, 10, 11, 12]


def test_row_18_engine_applies_nothing() -> None:
    """Pickled commands of every kind the engine knows pass through it untouched; ours alone are decoded."""
    stage = Stage(voters=1)
    stage.elect("s0")
    core = stage["s0"].core

    for kind in (b"\x00", b"\x02", b"\x03"):
        data = kind + pickle.dumps(Bomb())
        core.propose(stage.now, data)
        with pytest.raises(ForeignEntryError):
            decode_commands(data)
    core.flush()
    write = core.take_write()
    assert write is not None
    core.written(stage.now, write.sequence)
    core.flush()

    assert core.state.engine.commit == core.state.journal.last_index
    assert core.state.engine.raftLastApplied == 1


def test_row_18_failing_command_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A command that raises, and an entry that nobody knows, stop no server: the next command is applied."""

    class Failing(KeyValueStore):
        def apply(self, command: bytes) -> bytes:
            if command == b"bad":
                raise RuntimeError("boom")
            if command == b"worse":
                raise MemoryError
            return b"good"

    applier = Applier(Failing())
    applier.expect(2, 1, [10, 11, 12])

    applier.apply([(encode_commands([b"bad", b"worse", b"fine"]), 2, 1), (b"\x77", 3, 1)])

    assert applier.take_answers() == [
        (10, "failed", b"the state machine raised RuntimeError: boom"),
        (11, "failed", b"the state machine raised MemoryError"),
        (12, "ok", b"good"),
    ]
    assert applier.applied == 3
    assert "skipped on every server" in caplog.text


# --- row 19: what is answered to whom --------------------------------------------------------------------------------


def test_row_19_follower_forwards_nothing() -> None:
    """A proposal on a follower is refused on the spot; not one message leaves."""
    stage = Stage()
    stage.elect("s0")

    assert not stage["s1"].propose(stage.now, b"x")
    stage.step("s1")

    assert not stage.mail


def test_row_19_answers_are_keyed_by_index_and_term() -> None:
    """Another leader's entry at the index a client waits for is not the client's: 'not applied', never success."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s0")
    stage.propose("s0")
    mine = stage["s0"].proposals[3].value
    stage.elect("s1")
    stage.propose("s1")
    stage.settle()
    stage.cut_off.clear()

    stage.pass_time(0.5)

    assert mine in stage.judge.ledger.rejected
    assert mine not in stage["s0"].values
    assert len(stage["s0"].values) == 1


def test_row_19_proposal_that_was_replaced_here_may_still_be_applied() -> None:
    """Raft, figure 8: s0 has other entries where its client's were, and s1, which kept the client's, commits them."""
    stage = Stage(voters=5)
    stage.elect("s0")
    stage.propose("s0", 4)
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()
    mine = stage["s0"].proposals[6].value
    stage.cut_off = {"s0", "s1"}
    stage.call_election("s2")
    while not stage["s2"].leads:
        stage.deliver()
    stage.lose()
    stage.cut_off = {"s1", "s3", "s4"}
    stage.pass_time(0.3)
    assert stage.last_index("s0") == 3, "s2's no-op has replaced what s0 had proposed"
    stage.cut_off = {"s1", "s2"}
    stage.now += 2 * stage.timing.election_max_s
    stage.call_election("s0")
    while not stage["s0"].leads:
        stage.deliver()
    stage.lose()
    stage.propose("s0", 2)
    stage.lose()
    assert stage["s0"].proposals[6].value != mine, "its index is taken"
    stage.cut_off = {"s0", "s2"}

    stage.now += 2 * stage.timing.election_max_s
    for _ in range(5):
        stage.call_election("s1")
        stage.settle()
    stage.pass_time(0.3)

    assert stage["s1"].leads
    assert mine in stage["s1"].values
    assert mine not in stage.judge.ledger.rejected


def test_row_19_replaced_proposal_is_answered_as_unknown() -> None:
    """And one whose index has another term's entry applied, as certainly not applied."""
    applier = Applier(KeyValueStore())
    applier.expect(5, 1, [10])
    applier.expect(6, 1, [11])

    applier.expect(6, 3, [12])
    assert applier.take_answers() == [(11, "outcome_unknown", b"")]

    applier.apply([(b"\x01", 5, 2)])
    assert applier.take_answers() == [(10, "not_leader", b"")]


def test_row_19_late_answer_of_an_earlier_run_answers_no_read() -> None:
    """The leader's answer to the first read before a restart does not answer the first read after it."""
    stage = Stage()
    stage.elect("s0")
    stage.read("s1")
    (asked,) = stage.letters(ReadIndex)
    stage.lose()
    stage.restart("s1")
    stage.beat("s0")
    stage.settle()
    stage.read("s1")
    stage.lose()

    stage.hand(Letter("s0", "s1", ReadIndexReply(1, asked.request, 1)))

    assert stage["s1"].reads_answered == 0


# --- row 20: reads ---------------------------------------------------------------------------------------------------


def test_row_20_read_waits_for_a_round_of_heartbeats() -> None:
    """Only answers to heartbeats sent after the read arrived confirm it."""
    stage = Stage()
    stage.elect("s0")
    stage["s0"].core.leader.heartbeat()
    stage.step("s0")
    early = [letter for letter in stage.mail if isinstance(letter.message, Heartbeat)]
    stage.lose()
    stage.read("s0")
    stage.lose()

    for letter in early:
        stage.hand(letter)
    stage.deliver(lambda letter: isinstance(letter.message, HeartbeatReply))
    assert stage["s0"].reads_answered == 0

    stage.beat("s0")
    stage.settle()
    assert stage["s0"].reads_answered == 1


def test_row_20_read_asks_a_bare_majority_and_everybody_when_that_is_slow() -> None:
    """The voter heard last is asked, and no standby; where its answer is lost, the others are asked soon after."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.beat("s0")  # this one is not answered, the next one is
    stage.settle()
    stage.beat("s0")
    stage.deliver()
    stage.now += 0.001
    stage.deliver(lambda letter: letter.source == "s2")
    stage.lose()

    stage.read("s0")
    assert [letter.target for letter in stage.mail] == ["s2"]
    stage.lose()

    asked_at = stage.now
    stage.now = stage["s0"].core.next_deadline()
    assert stage.now - asked_at < stage.timing.heartbeat_s / 2
    stage.tick("s0")
    assert sorted(letter.target for letter in stage.mail) == ["s1", "s2", "s3"]
    stage.settle()
    assert stage["s0"].reads_answered == 1


def test_row_20_only_voters_confirm_a_read() -> None:
    """A standby's heartbeat answers say nothing about who leads."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.cut_off.update(("s1", "s2"))

    stage.read("s0")
    stage.settle()

    assert stage["s0"].reads_answered == 0


def test_row_20_follower_reads_through_the_leader() -> None:
    """It asks for an index, applies up to it, and answers."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0")
    stage.deliver(lambda letter: letter.target == "s1")
    stage.deliver()

    stage.read("s2")
    stage.settle()

    assert stage["s2"].reads_answered == 1
    assert len(stage["s2"].values) == 1


def test_row_20_no_read_before_an_entry_of_the_term_is_committed() -> None:
    """A new leader does not know what is committed."""
    stage = Stage()
    stage.call_election("s0")
    while not stage["s0"].leads:
        stage.deliver()
    stage.lose(lambda letter: isinstance(letter.message, Append))

    stage.read("s0")
    stage.settle()
    assert stage["s0"].reads_answered == 0

    stage.pass_time(0.3)
    assert stage["s0"].reads_answered == 1


def test_row_20_deposed_leader_answers_no_read() -> None:
    """Cut off, it cannot confirm; back, it fails the read, which may be tried again."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s0")
    stage.read("s0")
    stage.elect("s1")
    stage.propose("s1")
    stage.settle()
    stage.cut_off.clear()

    stage.pass_time(0.5)

    assert (stage["s0"].reads_answered, stage["s0"].reads_failed) == (0, 1)


def test_lost_read_request_is_given_up_in_time() -> None:
    """A follower under a healthy leader has a deadline for its request: the read fails instead of hanging."""
    stage = Stage()
    stage.elect("s0")
    stage.read("s1")
    stage.lose()
    deadline = stage["s1"].core.next_deadline()
    assert deadline <= stage.now + stage.timing.election_min_s

    stage.beat("s0")
    stage.settle()
    stage.now = deadline
    stage.tick("s1")

    assert stage["s1"].reads_failed == 1
    assert not stage.letters(AppendReply)


def test_read_where_no_leader_is_known_fails_at_once() -> None:
    """And a leader gives no index to a server outside its configuration."""
    stage = Stage(voters=3, strangers=1)
    stage.read("s1")
    assert stage["s1"].reads_failed == 1

    stage.elect("s0")
    stage.hand(Letter("s3", "s0", ReadIndex(1, 7)))

    assert stage.letters(ReadIndexReply) == [ReadIndexReply(1, 7, -1)]
