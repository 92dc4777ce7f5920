"""Whom a leader lets wait for a lone entry (actors/raft/spread.py)."""

from __future__ import annotations

from actors.raft.messages import Append
from tests.unit.raft.stage import Stage


def test_a_bare_majority_gets_what_is_new_at_once() -> None:
    """The others get it a little later, all that there is by then in one append."""
    stage = Stage(spread_s=0.005)
    stage.elect("s0")
    stage.pass_time(0.5)
    for _ in range(3):
        stage.propose("s0")
        assert not stage.letters(Append, target="s2")
        stage.settle()
    assert stage.commit("s0") == stage.last_index("s0") == 5

    stage.now += 0.006
    stage.tick("s0")

    (append,) = stage.letters(Append, target="s2")
    assert [index for _, index, _ in append.entries] == [3, 4, 5]
    assert not stage.letters(Append, target="s1")


def test_who_does_not_answer_is_overtaken() -> None:
    """The next entries go to the voter that made a majority last; when it is gone, back to the other."""
    stage = Stage(spread_s=0.005)
    stage.elect("s0")
    stage.pass_time(0.5)
    for silent, quick in (("s1", "s2"), ("s2", "s1")):
        stage.cut_off = {silent}
        stage.propose("s0")
        stage.pass_time(0.02, step_s=0.006)
        assert stage.commit("s0") == stage.last_index("s0")
        stage.cut_off = set()
        stage.pass_time(0.5)
        for _ in range(8):
            # As quick as before: rule 2 forgets the one that was late.
            stage.propose("s0")
            stage.settle()

        stage.propose("s0")

        assert stage.letters(Append, target=quick)
        assert not stage.letters(Append, target=silent)
        stage.settle()


def test_a_follower_that_wants_to_read_gets_what_it_lacks() -> None:
    """It waits for the index that the leader gives it."""
    stage = Stage(spread_s=10.0)
    stage.elect("s0")
    stage.propose("s0")
    stage.settle()
    assert stage.last_index("s2") < stage.commit("s0")

    stage.read("s2")
    stage.settle()
    stage.tick("s0")
    stage.settle()

    assert stage["s2"].reads_answered == 1


def test_nobody_waits_where_entries_take_long() -> None:
    """Rule 2: the time from the first sending to the commit counts, smoothed; when short again, one waits again."""
    stage = Stage(spread_s=0.01)
    stage.elect("s0")
    stage.pass_time(0.5)

    def put(took_s: float) -> bool:
        stage.propose("s0")
        waits = not stage.letters(Append, target="s2")
        stage.now += took_s
        stage.settle()
        stage.pass_time(0.02, step_s=0.02)
        return waits

    assert [put(0.005) for _ in range(5)] == [True, True, True, True, False]
    assert [put(0.001) for _ in range(5)] == [False, False, False, True, True]


def test_nobody_waits_under_load() -> None:
    """Rule 1: behind an entry that is not committed yet, everything goes to everybody."""
    stage = Stage(spread_s=0.005)
    stage.elect("s0")
    stage.pass_time(0.5)

    stage.propose("s0")
    assert not stage.letters(Append, target="s2")
    stage.propose("s0")

    (append,) = stage.letters(Append, target="s2")
    assert [index for _, index, _ in append.entries] == [3, 4]
