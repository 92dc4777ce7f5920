"""The journal: numbered writes that rebuild the log, and what they make durable."""

from __future__ import annotations

import pytest

from actors.raft.journal import Journal
from storage.raft_messages import HardState, SnapshotSave
from storage.snapshot_table import SnapshotSource

A = b"\x00\x91\xc4\x01a"


def journal_with(last: int, term: int = 1) -> Journal:
    """Entries 2..last, all on disk."""
    return Journal(HardState(term, None), (1, 0), [(A, index, term) for index in range(2, last + 1)], 1)


def add(journal: Journal, *entries: tuple[int, int]) -> None:
    """Append entries as (index, term)."""
    for index, term in entries:
        journal.add(A, index, term)


def save(index: int, keep_from: int, term: int = 1, *, discard_log: bool = False) -> SnapshotSave:
    """A snapshot without a state."""
    return SnapshotSave(index, term, b"", [b""], keep_from, term if keep_from > 1 else 0, discard_log)


def finish(journal: Journal) -> None:
    """Write what is unsaved."""
    write = journal.take_write()
    assert write is not None
    journal.written(write.sequence)


def test_restored_log_is_durable() -> None:
    """What was found on disk needs no write, and counts."""
    journal = journal_with(5)

    assert journal.take_write() is None
    assert (journal.last_index, journal.last_term, journal.durable_index) == (5, 1, 5)
    assert journal.hard_state_is_durable


def test_fresh_log_begins_behind_the_anchor() -> None:
    """Every server's first entry follows (1, 0)."""
    journal = Journal(HardState(0, None), (1, 0), [], 1)

    assert (journal.anchor_index, journal.anchor_term, journal.last_index, len(journal)) == (1, 0, 1, 1)
    assert journal.entries(0, 9) == []
    assert (journal.term_at(0), journal.term_at(1), journal.term_at(2)) == (None, 0, None)


def test_write_carries_everything_since_the_last() -> None:
    """Hard state, entries and the commit index of a turn are one write; the next has only what is new."""
    journal = journal_with(2)
    journal.setCurrentTerm(2, "s1")
    add(journal, (3, 2), (4, 2))
    journal.setRaftCommitIndex(3)

    first = journal.take_write()
    add(journal, (5, 2))
    second = journal.take_write()

    assert first is not None
    assert second is not None
    assert (first.sequence, first.hard_state, first.commit) == (1, HardState(2, "s1"), 3)
    assert [index for _, index, _ in first.append] == [3, 4]
    assert (second.sequence, second.hard_state, second.commit) == (2, None, None)
    assert [index for _, index, _ in second.append] == [5]


def test_commit_index_alone_is_no_reason_to_write() -> None:
    """It is a hint: a restart finds it again."""
    journal = journal_with(3)
    journal.setRaftCommitIndex(3)

    assert journal.take_write() is None
    assert journal.getRaftCommitIndex() == 3


def test_durable_index_follows_the_writes_that_are_done() -> None:
    """In order, and a later answer covers the earlier ones."""
    journal = journal_with(2)
    for index in (3, 4, 5):
        add(journal, (index, 1))
        journal.take_write()
    assert journal.durable_index == 2

    journal.written(1)
    assert journal.durable_index == 3
    journal.written(3)
    assert (journal.durable_index, journal.written_sequence) == (5, 3)


def test_truncation_takes_writes_under_way_back() -> None:
    """An entry that is being written and is truncated meanwhile is not durable when the write is done."""
    journal = journal_with(2)
    add(journal, (3, 1), (4, 1), (5, 1))
    journal.take_write()

    journal.deleteEntriesFrom(3)
    add(journal, (4, 2))
    journal.written(1)

    assert journal.durable_index == 3
    second = journal.take_write()
    assert second is not None
    assert second.truncate_from == 4
    assert [(index, term) for _, index, term in second.append] == [(4, 2)]
    journal.written(2)
    assert journal.durable_index == 4


def test_second_truncation_keeps_the_lower_index() -> None:
    """One write truncates once, as far down as it must."""
    journal = journal_with(9)

    journal.deleteEntriesFrom(6)
    add(journal, (7, 2), (8, 2))
    journal.deleteEntriesFrom(2)
    add(journal, (3, 3))
    journal.deleteEntriesFrom(50)

    write = journal.take_write()
    assert write is not None
    assert write.truncate_from == 3
    assert [(index, term) for _, index, term in write.append] == [(3, 3)]


def test_gap_is_refused() -> None:
    """The engine may append only what follows."""
    with pytest.raises(AssertionError, match="was to follow"):
        add(journal_with(3), (5, 1))


def test_engine_may_not_compact() -> None:
    """Its own compaction is switched off; if it ever came back, it would be noticed."""
    journal = journal_with(3)

    with pytest.raises(AssertionError, match="never compacts"):
        journal.deleteEntriesTo(1)
    with pytest.raises(AssertionError, match="never clears"):
        journal.clear()


def test_promises_wait_for_the_write_that_holds_them() -> None:
    """With something unsaved that is the next write, else the last one issued."""
    journal = journal_with(2)
    assert journal.next_promise == 0

    add(journal, (3, 1))
    assert journal.next_promise == 1
    journal.take_write()
    assert journal.next_promise == 1
    add(journal, (4, 1))
    assert journal.next_promise == 2


def test_hard_state_is_durable_once_it_is_written() -> None:
    """Not when its write is issued."""
    journal = journal_with(2)

    seen = [journal.hard_state_is_durable]
    journal.setCurrentTerm(1, None)
    seen.append(journal.hard_state_is_durable)

    journal.setCurrentTerm(2, None)
    seen.append(journal.hard_state_is_durable)
    journal.take_write()
    seen.append(journal.hard_state_is_durable)
    journal.written(1)
    seen.append(journal.hard_state_is_durable)

    assert seen == [True, True, False, False, True]


def test_own_snapshot_cuts_the_log_in_the_same_write() -> None:
    """The anchor moves to ``keep_from``; entries after it stay."""
    journal = journal_with(9)

    journal.save_snapshot(save(8, keep_from=5))

    assert (journal.anchor_index, journal.anchor_term, journal.last_index) == (5, 1, 9)
    assert journal.term_at(4) is None
    assert [index for _, index, _ in journal.entries(0, 99)] == [6, 7, 8, 9]
    write = journal.take_write()
    assert write is not None
    assert write.snapshot == save(8, keep_from=5)
    assert write.append == []


def test_snapshot_over_unsaved_entries() -> None:
    """What is dropped before it was saved is not written; the log goes on behind the anchor."""
    journal = journal_with(3)
    add(journal, (4, 1), (5, 1), (6, 1))

    journal.save_snapshot(save(5, keep_from=5))

    write = journal.take_write()
    assert write is not None
    assert [index for _, index, _ in write.append] == [6]
    journal.written(1)
    assert journal.durable_index == 6


def test_snapshot_of_what_is_not_there() -> None:
    """The log cannot be cut where it is not."""
    with pytest.raises(AssertionError, match="no entry 7"):
        journal_with(5).save_snapshot(save(7, keep_from=7))


def test_leaders_snapshot_replaces_a_log_that_does_not_match() -> None:
    """Nothing of the log stays, nothing of it counts as durable, and what was under way does not either."""
    journal = journal_with(5)
    add(journal, (6, 1))
    journal.take_write()
    journal.deleteEntriesFrom(3)

    journal.install_snapshot(save(20, 20, term=3, discard_log=True))
    journal.written(1)

    assert (journal.anchor_index, journal.anchor_term, journal.last_index) == (20, 3, 20)
    assert journal.durable_index == 0
    assert journal.getRaftCommitIndex() == 20
    add(journal, (21, 3))
    write = journal.take_write()
    assert write is not None
    assert write.truncate_from is None
    assert [index for _, index, _ in write.append] == [21]
    journal.written(2)
    assert journal.durable_index == 21


def test_leaders_snapshot_keeps_a_tail_that_matches() -> None:
    """Entries behind it stay (Raft §7)."""
    journal = journal_with(9)

    journal.install_snapshot(save(6, 6))

    assert (journal.anchor_index, journal.last_index, journal.durable_index) == (6, 9, 9)


def test_first_index_of_a_term() -> None:
    """Where a conflicting term begins; never before the anchor."""
    journal = Journal(HardState(4, None), (3, 2), [(A, 4, 2), (A, 5, 2), (A, 6, 4), (A, 7, 4)], 3)

    assert journal.first_index_of_term(7) == 6
    assert journal.first_index_of_term(6) == 6
    assert journal.first_index_of_term(5) == 4


def test_positions_count_from_the_anchor() -> None:
    """The engine looks at the log by position."""
    journal = journal_with(4)

    assert journal[0][1] == 1
    assert journal[-1][1] == 4
    assert [index for _, index, _ in journal[1:3]] == [2, 3]
    assert journal.take_write() is None


def test_finished_writes_leave_nothing_to_do() -> None:
    """Once written, nothing is written again."""
    journal = journal_with(2)
    add(journal, (3, 1))

    finish(journal)

    assert journal.take_write() is None
    assert journal.durable_index == 3


def test_tail_is_bounded_in_entries_and_bytes() -> None:
    """Few large entries would keep as much memory as the state itself."""
    kept = Journal(HardState(1, None), (1, 0), [(bytes(10), index, 1) for index in range(2, 12)], 1)

    assert kept.before_tail(11, 100, 1_000) == 1
    assert kept.before_tail(11, 4, 1_000) == 7
    assert kept.before_tail(11, 100, 35) == 8
    assert kept.before_tail(9, 100, 5) == 9


def test_chunks_of_a_leaders_snapshot_go_with_the_next_write() -> None:
    """A write of its own if need be; what is acknowledged then is on disk."""
    journal = journal_with(5)
    source = SnapshotSource("leader", 9, 1, 3)
    journal.stage(0, b"a", source)
    journal.stage(1, b"b", source)
    assert journal.next_promise == 1

    write = journal.take_write()

    assert write is not None
    assert write.stage == [(0, b"a"), (1, b"b")]
    assert write.source == source
    assert journal.take_write() is None


def test_our_own_snapshot_ends_the_staging_of_a_leaders() -> None:
    """As in raft.db; a new one begins with chunk 0."""
    journal = journal_with(5)
    source = SnapshotSource("leader", 9, 1, 5)
    journal.stage(4, b"late", source)
    journal.save_snapshot(save(5, 5))
    journal.stage(0, b"new", source)

    write = journal.take_write()

    assert write is not None
    assert write.stage == [(0, b"new")]
