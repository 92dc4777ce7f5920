"""The simulator sees what it is there for: guards that are switched off are found out.

`make mutate` tries every one; here are a few that show at once, and one that takes the story of its row.
"""

from __future__ import annotations

from unittest.mock import patch

import pytest

from actors.raft.applier import Applier
from tests.simulation.mutate import caught
from tests.simulation.mutations import ALL
from tests.simulation.mutations.table import Mutation, Patch

SEEDS_MAX = 60
QUICK = (
    "acknowledgement_rewinds",
    "nobody_asks_before_standing",
    "a_new_leader_changes_at_once",
    "a_read_is_not_confirmed",
    "a_retry_is_applied_again",
    "promises_leave_before_the_write",
)


@pytest.mark.parametrize("name", [*QUICK, "entry_of_any_size_is_taken"])
def test_mutation_is_caught(name: str) -> None:
    """The product without this guard does not hold."""
    (mutation,) = (one for one in ALL if one.name == name)

    assert caught(mutation, SEEDS_MAX, jobs=1)


@pytest.mark.parametrize("story", ["", "raft/test_rows_clients.py"])
def test_mutation_that_no_longer_fits_is_not_caught(story: str) -> None:
    """It breaks every run and every story, and shows nothing of what it was to switch off."""
    assert not caught(Mutation(20, "takes_too_little", "", _takes_too_little, story=story), SEEDS_MAX, jobs=1)


def test_every_row_of_the_engines_faults_has_a_mutation() -> None:
    """But row 23, which is about the simulator itself."""
    assert {one.row for one in ALL} == set(range(1, 23))


def test_names_are_told_apart() -> None:
    """A name stands for one mutation."""
    assert len({one.name for one in ALL}) == len(ALL)


def _takes_too_little() -> Patch:
    return patch.object(Applier, "read_at", lambda self, index: None)
