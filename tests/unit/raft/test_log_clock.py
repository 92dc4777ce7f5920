"""The replicated clock: it never goes back, whoever leads, and compares no two clocks."""

from __future__ import annotations

from actors.raft.applier import Applier
from actors.raft.entries import time_of
from actors.raft.log_clock import END_RETRY_S, LogClock
from storage.kv import KeyValueStore
from storage.kv_protocol import grant
from tests.unit.raft.stage import Stage


def clock_of(stage: Stage, id_: str) -> LogClock:
    """A clock beside a server, with a state machine that keeps leases."""
    return LogClock(stage[id_].core, Applier(KeyValueStore()))


def append(stage: Stage, id_: str, clock: LogClock) -> int | None:
    """The leader appends an entry with its time; everybody gets it."""
    data = clock.entry(stage.now, [])
    stage[id_].core.propose(stage.now, data)
    stage.step(id_)
    stage.settle()
    return time_of(data)


def test_time_passes_while_a_server_leads() -> None:
    """By its own monotonic clock, from where the log was."""
    stage = Stage()
    stage.elect("s0")
    clock = clock_of(stage, "s0")
    assert append(stage, "s0", clock) == 0
    stage.now += 2.5
    assert append(stage, "s0", clock) == 2_500


def test_a_new_leader_goes_on_from_the_log() -> None:
    """Not from its own clock: the time in which nobody led does not count, and none is lost or taken back."""
    stage = Stage()
    stage.elect("s0")
    clock = clock_of(stage, "s0")
    append(stage, "s0", clock)
    stage.now += 7.0
    assert append(stage, "s0", clock) == 7_000
    stage.now += 60.0
    stage.elect("s1")
    successor = clock_of(stage, "s1")
    assert append(stage, "s1", successor) == 7_000
    stage.now += 1.0
    assert append(stage, "s1", successor) == 8_000


def test_the_end_of_a_lease_asks_for_an_entry() -> None:
    """Once, when it is due, on the leader alone; and again after a while if that one came to nothing."""
    stage = Stage()
    stage.elect("s0")
    store = KeyValueStore()
    store.apply(grant(5_000))
    clock = LogClock(stage["s0"].core, Applier(store))
    follower = LogClock(stage["s1"].core, Applier(store))
    began = stage.now
    assert clock.next_deadline(began) == began + 5.0
    assert follower.next_deadline(began) == float("inf")
    assert not clock.is_end_due(began + 4.9)
    assert clock.is_end_due(began + 5.0)
    assert not clock.is_end_due(began + 5.0)
    assert clock.is_end_due(began + 5.0 + END_RETRY_S)
    store.advance(time_of(clock.entry(began + 5.1, [])) or 0)
    assert clock.next_deadline(began + 6.0) == float("inf")


def test_the_time_is_not_known_before_the_snapshot_is_restored() -> None:
    """A server may lead by then, and its log may have nothing that says how late it was (simulator, seed 1956)."""
    stage = Stage()
    stage.elect("s0")
    append(stage, "s0", clock_of(stage, "s0"))
    stage["s0"].snapshot(stage.now, 0)
    stage.step("s0")
    stage.settle()
    assert stage["s0"].core.state.journal.anchor_index > 1

    applier = Applier(KeyValueStore())
    clock = LogClock(stage["s0"].core, applier)
    assert not clock.is_known
    applier.replace(KeyValueStore(), stage["s0"].core.state.journal.anchor_index)
    assert clock.is_known
