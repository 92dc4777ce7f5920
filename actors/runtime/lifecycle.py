"""The states of an actor, as a table.

What lives here: which state follows which, and nothing that acts.  A transition that is not in the table is a bug of
the runtime and raises.  Mail is kept in every state but `closed` and `failed`: the mailbox belongs to the runtime.
"""

from enum import StrEnum


class State(StrEnum):
    """Where an actor is in its life."""

    WAITING = "waiting"
    """Not started yet, or waiting for its supervisor to start it again."""
    STARTING = "starting"
    RUNNING = "running"
    """The only state in which messages are handed over."""
    CRASHED = "crashed"
    """Failed; what the incarnation held is being cleaned up."""
    STOPPING = "stopping"
    CLOSED = "closed"
    """Stopped for good."""
    FAILED = "failed"
    """Its supervisor has given it up."""


class Event(StrEnum):
    """What moves an actor from one state to the next."""

    START = "start"
    STARTED = "started"
    CRASH = "crash"
    STOP = "stop"
    ENDED = "ended"
    """The incarnation is cleaned up: its tasks, timers and unanswered asks are gone."""
    CLOSE = "close"
    GIVE_UP = "give up"


TRANSITIONS = {
    (State.WAITING, Event.START): State.STARTING,
    (State.WAITING, Event.CLOSE): State.CLOSED,
    (State.WAITING, Event.GIVE_UP): State.FAILED,
    (State.STARTING, Event.STARTED): State.RUNNING,
    (State.STARTING, Event.CRASH): State.CRASHED,
    (State.RUNNING, Event.CRASH): State.CRASHED,
    (State.RUNNING, Event.STOP): State.STOPPING,
    (State.CRASHED, Event.ENDED): State.WAITING,
    (State.STOPPING, Event.ENDED): State.WAITING,
    (State.FAILED, Event.CLOSE): State.CLOSED,
}

ALIVE = frozenset({State.STARTING, State.RUNNING})
"""States in which an actor can crash."""

FINAL = frozenset({State.CLOSED, State.FAILED})
"""States that never hand over mail again: a mailbox in one of them refuses."""


def following(state: State, event: Event) -> State:
    """The state after `event`.  Raises AssertionError when the table has no such transition."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise AssertionError(f"an actor that is {state} cannot {event}")
    return after
