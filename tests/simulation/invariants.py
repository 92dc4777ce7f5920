"""What may never happen, by name, and the exception that says it has.

The names are those of the Raft paper (figure 3), of Raft's thesis for membership, and of docs/design.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn


class Invariant(StrEnum):
    """One claim each; the judge holds them after every turn of every server."""

    ELECTION_SAFETY = "election safety"
    """At most one leader a term."""
    LOG_MATCHING = "log matching"
    """Two logs with the same entry at an index are the same up to it."""
    LEADER_COMPLETENESS = "leader completeness"
    """A leader has every entry that was committed before its term."""
    STATE_MACHINE_SAFETY = "state machine safety"
    """No two servers apply different entries at an index, or get different results."""
    PERSIST_THEN_SPEAK = "persist, then speak"
    """What a message promises is on the disk of who sends it; what is committed is on the disks of a majority."""
    MONOTONIC = "terms and commits never go back"
    ONE_CHANGE = "one change at a time"
    """Of the configuration, and only after an entry of the leader's term is committed."""
    TERMS = "answers count in their term"
    """A newer term is followed, and an answer to another term's leader, or to what was never sent, changes nothing."""
    REPLICATION = "replication goes forward"
    """Nothing acknowledged is sent again, a gap is sent once, a conflict costs one step a term, and no match is cut."""
    PRE_VOTE = "pre-vote and stickiness"
    """Nobody stands without a majority's encouragement, and nobody encourages it who hears a leader."""
    CHECK_QUORUM = "a leader hears a majority"
    TRANSFER = "leadership is handed over"
    """Without new proposals meanwhile, and whoever is asked to stand is voted for."""
    NO_WRITE_LOST = "no acknowledged write lost"
    EXACTLY_ONCE = "exactly once"
    """No command is applied twice, and none whose client was told that it is not applied."""
    ATOMIC = "a batch is one change"
    """All keys of a batch get their values at one revision, or none does; who lists keys sees no state between."""
    LINEARIZABLE = "reads linearizable"
    """A read sees every write that was acknowledged, and what every read saw, before it began."""
    WATCHES = "watches tell everything"
    """Each change once, in order, whole, and none is missing (tests/histories)."""
    LEASES = "leases keep their time"
    """By the log's time each ends at the first entry that late, with its keys, and not before, unless it is revoked."""
    LOCKS = "locks have one holder"
    """Tokens rise, an old one lets nobody in, and no lease ends early by the true time (tests/histories)."""
    CAUSE = "no removal without a cause"
    """The reconciler takes out no server that has lived and been heard for long."""
    QUORUM = "the reconciler endangers no quorum"
    """If a majority of the voters lives, it does after the change too."""
    CONVERGENCE = "convergence"
    """Once nothing goes wrong any more, all servers are at one and serve."""


class Violation(AssertionError):  # noqa: N818 - what it is
    """Something that may never happen has happened."""

    def __init__(self, invariant: Invariant, what: str) -> None:
        super().__init__(what)
        self.invariant = invariant


def violated(invariant: Invariant, what: str) -> NoReturn:
    """Raise Violation."""
    raise Violation(invariant, what)
