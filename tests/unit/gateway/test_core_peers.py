"""The gateway's core on the leader's side: what other gateways forward to it."""

from __future__ import annotations

from actors.gateway.messages import Forward
from tests.unit.gateway.bench import PEER, Bench


def test_what_a_peer_forwards_goes_to_raft_and_back_under_the_peers_keys() -> None:
    """The leader's side: its own keys towards Raft, the other gateway's keys on the way back, its epoch untouched."""
    bench = Bench()
    bench.lead()
    bench.core.forward(bench.now, PEER, Forward(3, reads=False, batch=[(70, b"a"), (71, b"b")], timeout_ms=1_000))
    (a, first), (b, second) = bench.proposals()
    bench.results((b, "ok", b"B"))
    assert bench.back_to_peer() == [(71, "ok", b"B")]
    bench.results((a, "outcome_unknown", b""))

    assert (first, second) == (b"a", b"b")
    assert bench.back_to_peer() == [(70, "outcome_unknown", b"")]
    assert bench.core.pending == 0


def test_a_forwarded_request_makes_one_hop() -> None:
    """A gateway that was taken for the leader's by mistake says so; it does not pass the request on."""
    bench = Bench()
    bench.follow()
    bench.core.forward(bench.now, PEER, Forward(3, reads=False, batch=[(70, b"a")], timeout_ms=1_000))
    ((key, _),) = bench.proposals()
    bench.results((key, "not_leader", b""))

    assert bench.back_to_peer() == [(70, "not_leader", b"")]


def test_a_peer_is_told_when_there_is_too_much_to_do() -> None:
    """Admission limits hold for other gateways too, and the peer's client hears it at once."""
    bench = Bench(pending_max=1)
    bench.lead()
    bench.core.forward(bench.now, PEER, Forward(3, reads=False, batch=[(70, b"a"), (71, b"b")], timeout_ms=1_000))

    assert bench.back_to_peer() == [(70, "overloaded", b""), (71, "overloaded", b"")]


def test_nothing_is_kept_of_a_peer_that_stopped_waiting() -> None:
    """A forwarded request whose deadline is over takes no room, and its late results find nobody."""
    bench = Bench()
    bench.lead()
    bench.core.forward(bench.now, PEER, Forward(3, reads=False, batch=[(70, b"a")], timeout_ms=1_000))
    ((key, _),) = bench.proposals()
    bench.pass_time(1.1)
    bench.results((key, "ok", b""))

    assert bench.turn() == []
    assert not bench.core.busy
    assert bench.core.pending == 0
