"""The pure rules of the link layer: admission, sequences, cuts, counting, limits."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.unit.transport.links.network import header
from transport.client.protocol import GATEWAY, REQUEST
from transport.limits import LinkLimits
from transport.links.admission import refusal
from transport.links.cuts import Cuts
from transport.links.drops import Drops
from transport.links.sessions import Sessions
from transport.wire import Header, Origin

CLIENT = {"sender": "", "address": "", "to": GATEWAY, "kind": REQUEST, "cluster_id": ""}


def refused(head: Header, user: str | None, cluster_id: str) -> str:
    """Why a frame is refused whose header says who made it."""
    assert head.origin is not None
    return refusal(head, head.origin, user, cluster_id)


@pytest.mark.parametrize(
    ("changes", "user", "reason"),
    [
        ({}, None, ""),
        ({}, "server", ""),
        ({}, "client", "server frame without the server key"),
        ({}, "", "server frame without the server key"),
        (CLIENT, None, ""),
        (CLIENT, "client", ""),
        (CLIENT, "server", "client frame without the client key"),
        (CLIENT, "", "client frame without the client key"),
        (CLIENT | {"to": "raft"}, "client", "not for clients"),
        (CLIENT | {"kind": "gossip.join"}, None, "not for clients"),
        ({"cluster_id": "c2"}, None, "other cluster"),
        ({"cluster_id": "c2"}, "server", "other cluster"),
        (CLIENT | {"cluster_id": "c2"}, None, "other cluster"),
        ({"cluster_id": "c2", "kind": "gossip.join"}, None, ""),
        ({"cluster_id": "c2", "kind": "gossip.joined"}, None, ""),
        ({"cluster_id": "c2", "kind": "gossip.join_refused"}, None, ""),
        ({"cluster_id": "c2", "kind": "gossip.ping"}, None, "other cluster"),
    ],
)
def test_admission(changes: dict[str, Any], user: str | None, reason: str) -> None:
    """Who may say what, with which key, in cluster c1."""
    assert refused(header(**changes), user, "c1") == reason


@pytest.mark.parametrize(("theirs", "own"), [("c2", ""), ("", "c1")], ids=["this server", "the sender"])
@pytest.mark.parametrize(("to", "reason"), [("gossip", ""), ("raft", "other cluster"), ("keys", "other cluster")])
def test_without_a_cluster_gossip_alone_is_heard(theirs: str, own: str, to: str, reason: str) -> None:
    """A joiner must hear the answer of the cluster it joins, and no leader that takes it for a dead server."""
    assert refused(header(cluster_id=theirs, to=to), None, own) == reason


def test_without_a_cluster_clients_are_heard() -> None:
    """They are told that there is none yet, whichever they know."""
    assert refused(header(**CLIENT | {"cluster_id": "c2"}), None, "") == ""


def test_acknowledgements_are_due_by_frames_or_bytes() -> None:
    """A receiver acknowledges rarely for small frames and promptly for large ones."""
    sessions = Sessions(LinkLimits(ack_frames=3, ack_bytes=100))
    sessions.introduce(b"1", Origin("s9"))
    sizes = [1, 1, 1, 1, 99, 1, 100]

    due = [sessions.received(b"1", number, size) for number, size in enumerate(sizes, start=1)]

    assert due == [False, False, True, False, True, False, True]
    assert sessions.gaps == 0


def test_sessions_are_followed_apart() -> None:
    """Each connection counts for itself; what is missing in one is a gap."""
    sessions = Sessions(LinkLimits())
    for connection in (b"1", b"2"):
        sessions.introduce(connection, Origin("s9"))
        for sequence in (1, 2):
            sessions.received(connection, sequence, 1)
    assert sessions.gaps == 0

    for sequence in (4, 5, 5):
        sessions.received(b"1", sequence, 1)
    assert sessions.gaps == 2


BEFORE: dict[str, Any] = {"sender": "s9", "session": 1, "incarnation": 1}


@pytest.mark.parametrize("new", [{"session": 2}, {"sender": "s8"}, {"incarnation": 2}])
def test_a_new_session_of_a_connection_begins_anew(new: dict[str, Any]) -> None:
    """Lanes, servers and runs of one server each have their own."""
    sessions = Sessions(LinkLimits())
    for said in ({}, new):
        sessions.introduce(b"1", Origin(**BEFORE | said))
        for sequence in (1, 2, 3):
            sessions.received(b"1", sequence, 1)
    assert sessions.gaps == 0


def test_a_session_goes_on_in_the_cluster_that_its_server_has_found() -> None:
    """It says who it is once more, and no frame is taken for missing."""
    sessions = Sessions(LinkLimits())
    sessions.introduce(b"1", Origin("s9", session=1))
    sessions.received(b"1", 1, 1)
    found = Origin("s9", cluster_id="c1", session=1)
    sessions.introduce(b"1", found)
    sessions.received(b"1", 2, 1)

    assert sessions.gaps == 0
    assert sessions.origin(b"1") == found
    assert sessions.origin(b"2") is None


def test_the_number_of_sessions_is_bounded() -> None:
    """A peer that starts session after session costs no memory; whose was forgotten is asked again."""
    sessions = Sessions(LinkLimits(sessions_max=10))
    for number in range(1_000):
        sessions.introduce(b"%d" % number, Origin("s9", session=number))
    assert len(sessions._sessions) == 10
    assert sessions.origin(b"989") is None
    assert sessions.origin(b"990") is not None


def test_cuts_are_set_and_healed_by_direction() -> None:
    """Naming a direction False heals it; heal() heals all."""
    cuts = Cuts()
    cuts.cut("a", inbound=True, outbound=True)
    cuts.cut("a", inbound=False, outbound=True)
    assert (cuts.inbound, cuts.outbound) == (set(), {"a"})
    assert "a" in cuts
    cuts.heal()
    assert "a" not in cuts


def test_drops_are_logged_at_a_limited_rate(caplog: pytest.LogCaptureFixture) -> None:
    """One line per reason and period, saying how many it stands for; quiet ones are only counted."""
    now = [100.0]
    drops = Drops(lambda: now[0], log_period_s=10)
    with caplog.at_level(logging.WARNING, logger="quorate.links"):
        for _ in range(5):
            drops.count("bad frame", "first")
        drops.count("other cluster", "second")
        drops.quietly("cut")
        now[0] += 10
        drops.count("bad frame", "third")

    assert [record.getMessage() for record in caplog.records] == [
        "dropped (bad frame, 1 since the last such line): first",
        "dropped (other cluster, 1 since the last such line): second",
        "dropped (bad frame, 5 since the last such line): third",
    ]
    assert drops.counts() == {"bad frame": 6, "other cluster": 1, "cut": 1}


@pytest.mark.parametrize("bad", [{"hold_s": 0}, {"links_max": -1}, {"window_bytes": 1_000}, {"window_frames": 64}])
def test_limits_that_cannot_work_are_refused(bad: dict[str, Any]) -> None:
    """A window smaller than a frame would shut for ever; a limit of nothing would stop everything."""
    with pytest.raises(ValueError, match=r"more than 0|window must hold"):
        LinkLimits(**bad)
