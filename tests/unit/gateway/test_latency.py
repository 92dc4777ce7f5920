"""How long requests took: what is counted, and that it is enough for a quantile."""

from __future__ import annotations

from itertools import pairwise

from actors.gateway.latency import BOUNDS_S, GROWTH, Histogram
from actors.gateway.reports import requests_report
from tests.unit.gateway.bench import Bench


def test_the_bounds_cover_every_request_that_is_kept() -> None:
    """From less than a round trip on loopback to nearly the longest time a request is kept for."""
    assert (BOUNDS_S[0], BOUNDS_S[-1] > 40) == (0.0001, True)
    assert all(low * (GROWTH - 0.02) < high < low * (GROWTH + 0.02) for low, high in pairwise(BOUNDS_S))


def test_a_duration_is_counted_once_in_the_bucket_up_to_its_bound() -> None:
    """As Prometheus counts, but each bucket for itself; what is beyond the last bound has a bucket, too."""
    histogram = Histogram()
    for duration_s in (0.0, BOUNDS_S[0], BOUNDS_S[1], BOUNDS_S[1] * 1.01, 1_000.0):
        histogram.add(duration_s, 2)
    report = histogram.report()

    assert (report["requests"], report["commands"]) == (5, 10)
    assert len(report["buckets"]) == len(BOUNDS_S) + 1
    assert {position: amount for position, amount in enumerate(report["buckets"]) if amount} == {
        0: 2,
        1: 1,
        2: 1,
        33: 1,
    }


def test_what_was_answered_is_noted_with_its_whole_time() -> None:
    """From the client's request to its answer, waiting for a leader included; what failed has no latency."""
    bench = Bench()
    bench.follow(leader="")
    bench.propose(1, b"a", b"b", timeout_ms=5_000)
    bench.propose(2, b"late", timeout_ms=100)
    bench.turn()
    bench.pass_time(0.2)
    bench.lead()
    bench.results(*((key, "ok", b"") for key, _ in bench.proposals()))
    report = requests_report(bench.core)

    assert (bench.code(1), bench.code(2)) == ("ok", "no_leader")
    assert (report["writes"]["requests"], report["writes"]["commands"]) == (1, 2)
    assert 0.2 <= report["writes"]["sum_s"] < 5
    assert report["reads"]["requests"] == 0
