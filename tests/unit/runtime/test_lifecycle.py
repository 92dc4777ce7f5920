"""The table of an actor's states."""

from __future__ import annotations

import pytest

from actors.runtime.lifecycle import ALIVE, FINAL, TRANSITIONS, Event, State, following


def test_every_state_is_reached_and_left() -> None:
    """From the first state on; only a closed actor stays what it is."""
    reached = {State.WAITING}
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more

    assert reached == set(State)
    assert {before for before, _ in TRANSITIONS} == set(State) - {State.CLOSED}


def test_only_the_living_crash() -> None:
    """And every living one can."""
    assert {before for before, event in TRANSITIONS if event is Event.CRASH} == ALIVE


def test_the_final_states_never_run_again() -> None:
    """Mail that they were to accept would wait for ever."""
    reached = set(FINAL)
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more

    assert reached == FINAL


@pytest.mark.parametrize(
    ("state", "event"), [(state, event) for state in State for event in Event if (state, event) not in TRANSITIONS]
)
def test_what_is_not_in_the_table_is_a_bug(state: State, event: Event) -> None:
    """It raises, and says what was tried."""
    with pytest.raises(AssertionError, match=f"is {state} cannot {event}"):
        following(state, event)
