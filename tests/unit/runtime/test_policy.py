"""The restart policy, decision by decision: no actor, no clock, no chance that was not injected."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.policy import Escalate, Restart, RestartLimits, RestartPolicy, Strategy

CHILDREN = ("persistence", "links", "gossip", "raft")


class Highest:
    """A jitter that always takes the longest."""

    def uniform(self, a: float, b: float) -> float:
        """The upper bound."""
        return b


class Lowest:
    """A jitter that always takes the shortest."""

    def uniform(self, a: float, b: float) -> float:
        """The lower bound."""
        return a


def policy(strategy: Strategy = Strategy.REST_FOR_ONE, **limits: float) -> RestartPolicy:
    """A policy over CHILDREN without any luck."""
    return RestartPolicy(strategy, CHILDREN, RestartLimits(**limits), Highest())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("strategy", "crashed", "restarted"),
    [
        (Strategy.REST_FOR_ONE, "persistence", CHILDREN),
        (Strategy.REST_FOR_ONE, "gossip", ("gossip", "raft")),
        (Strategy.REST_FOR_ONE, "raft", ("raft",)),
        (Strategy.ONE_FOR_ONE, "persistence", ("persistence",)),
        (Strategy.ONE_FOR_ONE, "raft", ("raft",)),
    ],
)
def test_who_goes_down_with_whom(strategy: Strategy, crashed: str, restarted: tuple[str, ...]) -> None:
    """OTP's two strategies."""
    decision = policy(strategy).crashed(crashed, 0.0, "x")

    assert isinstance(decision, Restart)
    assert decision.children == restarted
    assert policy(strategy).killed(crashed).children == restarted


@pytest.mark.parametrize(
    ("times", "escalates"),
    [
        ([0, 1, 2], False),
        ([0, 1, 2, 3], True),
        ([0, 10, 20, 30], True),  # exactly the period: still within it
        ([0, 10, 20, 30.1], False),
        ([0, 0, 0, 0], True),
        ([0, 29, 31, 33, 59.5], False),
        ([0, 29, 31, 33, 34], True),
    ],
)
def test_intensity(times: list[float], escalates: bool) -> None:
    """Three crashes in thirty seconds are put up with; the fourth escalates."""
    restarts = policy()

    decisions = [restarts.crashed("raft", time, "x") for time in times]

    assert [type(decision) for decision in decisions[:-1]] == [Restart] * (len(times) - 1)
    assert isinstance(decisions[-1], Escalate) is escalates


def test_the_intensity_is_the_supervisors() -> None:
    """Crashes of different children add up: together they are a server that does not work."""
    restarts = policy()
    for child in ("raft", "gossip", "links"):
        restarts.crashed(child, 0.0, "x")

    decision = restarts.crashed("persistence", 1.0, "OSError: disk full")

    assert decision == Escalate("4 crashes within 30 s, the last one of persistence: OSError: disk full")


def test_delays_grow_to_a_cap_and_start_anew_after_a_calm() -> None:
    """The first restart is nearly immediate, a child that goes on crashing waits longer and longer."""
    restarts = policy(intensity=100)
    delays = []
    for crash in range(6):
        decision = restarts.crashed("raft", float(crash), "x")
        assert isinstance(decision, Restart)
        delays.append(decision.delay_s)

    assert delays == pytest.approx([0.04, 0.16, 0.64, 2.56, 5.0, 5.0])

    after_calm = restarts.crashed("raft", 5 + 60.1, "x")
    assert isinstance(after_calm, Restart)
    assert after_calm.delay_s == pytest.approx(0.04)


def test_jitter_takes_at_most_half() -> None:
    """Servers that crash together do not come back together."""
    decision = RestartPolicy(Strategy.ONE_FOR_ONE, CHILDREN, RestartLimits(), Lowest()).crashed("raft", 0.0, "x")

    assert isinstance(decision, Restart)
    assert decision.delay_s == pytest.approx(0.02)


def test_one_childs_crashes_do_not_delay_another() -> None:
    """The back-off is each child's own."""
    restarts = policy(intensity=100)
    for _ in range(5):
        restarts.crashed("raft", 0.0, "x")

    decision = restarts.crashed("gossip", 0.0, "x")

    assert isinstance(decision, Restart)
    assert decision.delay_s == pytest.approx(0.04)


def test_kills_do_not_count() -> None:
    """An operator may kill without end, and the kills shorten nothing for real crashes."""
    restarts = policy()
    for _ in range(100):
        assert restarts.killed("raft").delay_s == 0

    decisions = [restarts.crashed("raft", 0.0, "x") for _ in range(4)]

    assert [type(decision) for decision in decisions] == [Restart, Restart, Restart, Escalate]


crash_gaps = st.lists(st.floats(0, 40, allow_nan=False), max_size=40)


@given(gaps=crash_gaps, kills=st.lists(st.booleans(), max_size=40), rng_seed=st.integers(0, 2**32))
def test_it_escalates_exactly_when_a_window_is_too_full(gaps: list[float], kills: list[bool], rng_seed: int) -> None:
    """Against a definition by looking back: more than `intensity` crashes in the closed window of `period_s`."""
    limits = RestartLimits()
    restarts = RestartPolicy(Strategy.REST_FOR_ONE, CHILDREN, limits, random.Random(rng_seed))
    times: list[float] = []
    now = 0.0
    for number, gap in enumerate(gaps):
        now += gap
        if number < len(kills) and kills[number]:
            restarts.killed("raft")
        times.append(now)
        decision = restarts.crashed("raft", now, "x")
        in_window = sum(1 for time in times if now - time <= limits.period_s)
        assert isinstance(decision, Escalate) is (in_window > limits.intensity)


@given(gaps=crash_gaps, rng_seed=st.integers(0, 2**32))
def test_delays_are_bounded_and_grow_in_a_row(gaps: list[float], rng_seed: int) -> None:
    """Never negative, never beyond the cap; without a calm in between the longest possible delay only grows."""
    limits = RestartLimits(intensity=1_000)
    jittered = RestartPolicy(Strategy.ONE_FOR_ONE, CHILDREN, limits, random.Random(rng_seed))
    longest = RestartPolicy(Strategy.ONE_FOR_ONE, CHILDREN, limits, Highest())
    now, bounds = 0.0, []
    for gap in gaps:
        now += gap
        drawn, bound = jittered.crashed("raft", now, "x"), longest.crashed("raft", now, "x")
        assert isinstance(drawn, Restart)
        assert isinstance(bound, Restart)
        assert bound.delay_s / 2 <= drawn.delay_s <= bound.delay_s <= limits.delay_max_s
        bounds.append(bound.delay_s)
    assert all(earlier <= later for earlier, later in pairwise(bounds))
