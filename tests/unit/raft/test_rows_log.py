"""docs/design.md, rows 1 to 6: what PySyncObj gets wrong about the log, and the guard that keeps it from doing so."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.raft.entries import ENTRY_BYTES_MAX, EntryTooLargeError, encode_commands
from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply
from tests.unit.raft.stage import Letter, Stage
from transport.limits import COMMAND_BYTES_MAX


def led_stage() -> Stage:
    """Three servers, s0 leads, all have its no-op at index 2."""
    stage = Stage()
    stage.elect("s0")
    assert [stage.last_index(id_) for id_ in stage.servers] == [2, 2, 2]
    return stage


# --- row 1: a late frame truncates what matches ----------------------------------------------------------------------


def test_row_01_late_append_truncates_nothing() -> None:
    """An append that comes again, late, leaves the entries after its own alone and acknowledges just its own."""
    stage = led_stage()
    stage.propose("s0")
    (late,) = stage.letters(Append, target="s1")
    stage.propose("s0", 2)
    stage.settle()
    assert stage.last_index("s1") == 5

    stage.hand(Letter("s0", "s1", late))

    assert stage.last_index("s1") == 5
    assert stage["s1"].disk.state.last_index == 5
    (reply,) = stage.letters(AppendReply, source="s1")
    assert (reply.success, reply.match) == (True, 3)


def test_row_01_part_that_matches_is_cut_off() -> None:
    """Of an append that overlaps the log only the new end is written."""
    stage = led_stage()
    stage.propose("s0", 2)
    first, second = stage.letters(Append, target="s1")
    stage.lose()
    stage.hand(Letter("s0", "s1", first))
    kept = stage.state("s1").journal[-1]

    stage.hand(Letter("s0", "s1", replace(first, entries=[*first.entries, *second.entries])))

    assert stage.last_index("s1") == 4
    assert stage.state("s1").journal[-2] is kept


def test_row_01_commit_goes_no_further_than_what_was_compared() -> None:
    """A follower with a tail of an older term does not commit that tail when its new leader's frame says 'commit 4'."""
    stage = led_stage()
    stage.propose("s0", 2)
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()
    tail = stage.state("s1").journal[-1]
    stage.cut_off.add("s0")

    stage.hand(Letter("s2", "s1", Append(2, 1, 2, 1, commit=4, entries=[])))
    stage.hand(Letter("s2", "s1", Heartbeat(2, 1, commit=4)))

    assert stage.state("s1").journal[-1] is tail
    assert stage.commit("s1") == 2


def test_row_01_conflict_truncates() -> None:
    """An entry of another term at the same index replaces it and what follows."""
    stage = led_stage()
    stage.propose("s0", 3)
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()

    stage.hand(Letter("s2", "s1", Append(2, 1, 2, 1, commit=2, entries=[(b"\x01", 3, 2)])))

    assert stage.last_index("s1") == 3
    assert stage["s1"].disk.term_of(3) == 2


def test_row_01_committed_entry_is_never_truncated(caplog: pytest.LogCaptureFixture) -> None:
    """A leader that asks to replace a committed entry breaks Raft and gets no answer."""
    stage = led_stage()
    stage.propose("s0")
    stage.settle()
    stage.beat("s0")
    stage.settle()
    assert stage.commit("s1") == 3

    stage.hand(Letter("s2", "s1", Append(2, 1, 2, 1, commit=2, entries=[(b"\x01", 3, 2)])))

    assert stage.state("s1").journal.term_at(3) == 1
    assert not stage.letters(AppendReply, source="s1")
    assert "asks to replace committed entry 3" in caplog.text


def test_row_01_a_log_without_a_committed_entry_gets_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """An answer would make its leader ask again at once, for ever; once a term this server says so."""
    stage = led_stage()
    stage.propose("s0")
    stage.settle()
    stage.beat("s0")
    stage.settle()
    assert stage.commit("s1") == 3

    for sequence in (1, 2):
        stage.hand(Letter("s2", "s1", Append(2, sequence, 3, 2, commit=3, entries=[])))

    assert stage.state("s1").journal.term_at(3) == 1
    assert not stage.letters(AppendReply, source="s1")
    assert caplog.text.count("asks to replace committed entry 3") == 1


def test_append_that_is_no_run_of_indexes_is_dropped() -> None:
    """Entries with a gap never reach the engine, which would take any index."""
    stage = led_stage()

    stage.hand(Letter("s0", "s1", Append(1, 9, 2, 1, commit=2, entries=[(b"\x01", 4, 1)])))

    assert stage.last_index("s1") == 2
    assert not stage.letters(AppendReply, source="s1")


# --- row 2: whose answers count --------------------------------------------------------------------------------------


def test_row_02_answer_of_an_older_term_does_not_count() -> None:
    """An acknowledgement of 499 from a term long gone moves nothing; nor does one beyond the log or of a stranger."""
    stage = Stage(voters=3, strangers=1)
    stage.elect("s0")
    stage.propose("s0")
    before = stage.state("s0").engine.match_index("s1")
    sequence = stage["s0"].core.leader.progress["s1"].sequence

    stage.hand(Letter("s1", "s0", AppendReply(0, sequence, True, 3)))
    stage.hand(Letter("s1", "s0", AppendReply(1, sequence, True, 499)))
    stage.hand(Letter("s1", "s0", AppendReply(1, sequence + 1, True, 3)))
    stage.hand(Letter("s3", "s0", AppendReply(1, 1, True, 3)))

    assert stage.state("s0").engine.match_index("s1") == before
    assert stage.commit("s0") == 2


def test_row_02_frame_of_a_lower_term_is_answered_with_ours() -> None:
    """A deposed leader hears of the new term, and of nothing that it could take for an answer to a frame of its own."""
    stage = led_stage()
    stage.propose("s0")
    (old,) = stage.letters(Append, target="s1")
    stage.lose()
    stage.cut_off.add("s0")
    stage.elect("s2")
    stage.cut_off.clear()

    stage.hand(Letter("s0", "s1", old))
    stage.hand(Letter("s0", "s1", Heartbeat(1, 7, 2)))

    (append_reply,) = stage.letters(AppendReply, target="s0")
    (heartbeat_reply,) = stage.letters(HeartbeatReply, target="s0")
    assert append_reply == AppendReply(2, 0, False, 0)
    assert heartbeat_reply == HeartbeatReply(2, 0, 0)
    stage.deliver(lambda letter: letter.target == "s0")
    assert (stage["s0"].core.role, stage.term("s0"), stage.state("s0").leader) == ("follower", 2, None)


def test_row_02_heartbeat_of_an_earlier_leadership_confirms_no_read() -> None:
    """A heartbeat of term 1, answered in term 3, is no answer to the round of the same number in term 3."""
    stage = led_stage()
    stage.cut_off.add("s0")
    stage.elect("s1")
    stage.cut_off.clear()
    stage.pass_time(0.3)
    stage.elect("s0")
    assert stage.term("s0") == 3
    stage.read("s0")
    stage.lose()
    round_ = stage["s0"].core.leader.round

    for late in ("s1", "s2"):
        stage.hand(Letter("s0", late, Heartbeat(1, round_, 2)))
    stage.deliver(lambda letter: letter.target == "s0")

    assert stage["s0"].reads, "the read is answered, and nobody has confirmed it"


# --- rows 3 and 4: what is sent again --------------------------------------------------------------------------------


def test_row_03_acknowledgement_sends_nothing_again() -> None:
    """While five appends are in flight, the answer to the first leaves the next index where it was."""
    stage = led_stage()
    stage.propose("s0", 5)
    appends = [letter for letter in stage.mail if letter.target == "s1"]
    stage.lose()

    stage.hand(appends[0])
    stage.deliver()

    assert stage.state("s0").engine.match_index("s1") == 3
    assert stage.state("s0").engine.next_index("s1") == 8
    assert not stage.letters(Append, source="s0", target="s1")


def test_row_04_one_resend_a_gap() -> None:
    """One of six appends is lost: the five mismatches that follow cause one re-send, not five."""
    stage = led_stage()
    stage.propose("s0", 6)
    appends = [letter for letter in stage.mail if letter.target == "s1"]
    stage.lose()
    for letter in appends[1:]:
        stage.hand(letter)
    assert len(stage.letters(AppendReply, source="s1")) == 5

    stage.deliver(lambda letter: letter.target == "s0")

    resent = stage.letters(Append, source="s0", target="s1")
    assert [append.entries[0][1] for append in resent] == [3]
    stage.settle()
    assert stage.last_index("s1") == 8


# --- row 5: a diverged follower --------------------------------------------------------------------------------------


def test_row_05_diverged_follower_is_repaired_in_few_rounds() -> None:
    """A follower with 200 entries of a lost term has its new leader's log after two mismatches, not after 200."""
    stage = led_stage()
    stage.cut_off.update(("s1", "s2"))
    stage.propose("s0", 200)
    stage.lose()
    stage.cut_off = {"s0"}
    stage.elect("s1")
    stage.propose("s1", 200)
    stage.settle()
    stage.cut_off.clear()
    stage["s0"].core.abdicate(stage.now)
    mismatches = 0

    for _ in range(6):
        stage.beat("s1")
        while stage.mail:
            mismatches += sum(not reply.success for reply in stage.letters(AppendReply, source="s0"))
            stage.deliver()

    assert stage.state("s0").journal[:] == stage.state("s1").journal[:]
    assert mismatches <= 3


# --- row 6: sizes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, COMMAND_BYTES_MAX])
def test_row_06_large_entries_are_replicated(size: int) -> None:
    """Entries at and above 64 KiB, where the engine's own framing breaks, reach the followers whole."""
    stage = led_stage()
    data = encode_commands([b"x" * size])

    assert stage["s0"].core.propose(stage.now, data)
    stage.step("s0")
    stage.settle()

    assert stage.state("s2").journal[-1][0] == data


def test_row_06_entry_beyond_the_limit_is_refused() -> None:
    """What the engine would frame wrongly never gets into the log."""
    stage = led_stage()

    with pytest.raises(EntryTooLargeError, match="more than"):
        stage["s0"].core.propose(stage.now, b"\x00" * (ENTRY_BYTES_MAX + 1))

    assert stage.last_index("s0") == 2
