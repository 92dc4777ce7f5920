"""The watch over single steps sees a rule of the guard that is switched off within a few seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from actors.raft.election import Election
from actors.raft.engine import Engine
from actors.raft.leader import Leader, Progress
from actors.raft.messages import VoteRequest
from actors.raft.state import RaftState
from actors.raft.terms import Terms
from actors.raft.transfer import Transfer
from tests.simulation.invariants import Invariant
from tests.simulation.runner import run_seed

SEEDS = 40

_acknowledge = Engine.acknowledge


def _acknowledge_and_rewind(engine: Engine, peer: str, match: int) -> None:
    _acknowledge(engine, peer, match)
    engine._SyncObj__raftNextIndex[engine._node(peer)] = match + 1


def _forget_in_flight(progress: Progress) -> None:
    progress.in_flight.clear()
    progress.in_flight_bytes = 0


def _stand_at_once(election: Election) -> bool:
    state = election._state
    if state.now < election.deadline or state.engine.is_leader:
        return False
    election.reset()
    state.leader = None
    return state.is_voter


def _moves_term_unless_a_leader_is_heard(election: Election, request: VoteRequest) -> bool:
    return not request.pre and not election._state.hears_leader()


MUTATIONS: dict[str, tuple[type, str, Any, Invariant]] = {
    "row 2: no word to who led before": (Terms, "answer_old", lambda *_: None, Invariant.TERMS),
    "row 3: acknowledgements rewind": (Engine, "acknowledge", _acknowledge_and_rewind, Invariant.REPLICATION),
    "row 4: every mismatch is a gap": (Progress, "void", _forget_in_flight, Invariant.REPLICATION),
    "row 8: no pre-vote": (Election, "tick", _stand_at_once, Invariant.PRE_VOTE),
    "row 8: no stickiness": (RaftState, "hears_leader", lambda state: state.engine.is_leader, Invariant.PRE_VOTE),
    "row 10: no check-quorum": (Leader, "hears_quorum", lambda _: True, Invariant.CHECK_QUORUM),
    "row 11: proposals go on": (Transfer, "is_under_way", False, Invariant.TRANSFER),
    "row 11: no waiver": (Election, "moves_term", _moves_term_unless_a_leader_is_heard, Invariant.TRANSFER),
}


@pytest.fixture
def invariant(request: pytest.FixtureRequest) -> Iterator[Invariant]:
    """Which one goes when a rule is switched off."""
    owner, name, without, invariant = MUTATIONS[request.param]
    with mock.patch.object(owner, name, without):
        yield invariant


@pytest.mark.parametrize("invariant", MUTATIONS, indirect=True)
def test_rule_that_is_switched_off_is_missed(invariant: Invariant) -> None:
    """By its name, and soon."""
    outcomes = map(run_seed, range(SEEDS))

    assert any(outcome.invariant == invariant for outcome in outcomes)
