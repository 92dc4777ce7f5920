"""The comparison of membership: its times, its figures, and how it understands Serf."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from bench import membership
from bench.machine import Machine
from bench.membership import StoryError, until_all
from bench.membership_stories import TITLES
from bench.serf_agents import sent_between
from bench.serf_pages import conditions
from bench.serf_report import Idle, MembersIdle, SerfResult, idle_table, ratios, times_table
from bench.serf_rpc import SerfRpc, SerfRpcError

MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gb=8,
    kernel="6.1",
    filesystem="ext4",
    fdatasync_p50_ms=0.1,
    load=0.0,
    python="3.11",
    quorate="0.1",
    commit="abc",
    pysyncobj="0.3.17",
)


def result(ours: list[float], theirs: list[float]) -> SerfResult:
    """What came of three servers, every story the same."""
    return SerfResult(
        began="2026-01-01",
        machine=MACHINE,
        serf="0.9.4",
        repeats={3: len(ours)},
        times={3: {"Quorate": dict.fromkeys(TITLES, ours), "Serf": dict.fromkeys(TITLES, theirs)}},
        idle=Idle(
            began="2026-01-01",
            commit="abc",
            load=0.0,
            seconds=40,
            members={
                3: {
                    "Quorate": MembersIdle([1.0, 0.5, 0.5], [50.0] * 3, [100.0, 200.0, 300.0]),
                    "Serf": MembersIdle([0.2] * 3, [14.0] * 3, [400.0] * 3),
                }
            },
        ),
    )


def test_everybody_is_asked_until_the_last_one_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, and nobody again who has known it."""
    asked: list[int] = []
    needed = {0: 1, 1: 3, 2: 1}
    monkeypatch.setattr(membership, "ASK_PERIOD_S", 0.0)

    def knows(observer: int) -> bool:
        asked.append(observer)
        return asked.count(observer) >= needed[observer]

    assert until_all([0, 1, 2], knows, "it happened") >= 0
    assert asked == [0, 1, 1, 1, 2]


def test_what_nobody_ever_knows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words of what was waited for."""
    monkeypatch.setattr(membership, "KNOW_TIMEOUT_S", 0.0)
    with pytest.raises(StoryError, match="server 7 does not know after 0 s that it happened"):
        until_all([7], lambda _: False, "it happened")


def test_a_pause_of_the_machine_ends_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times taken while everything stood still would say nothing of either system."""
    monkeypatch.setattr(membership, "LATE_MAX_S", -1.0)
    with pytest.raises(StoryError, match="stood still"):
        until_all([0], lambda _: False, "it happened")


def test_ratios_are_taken_repeat_by_repeat() -> None:
    """A slow moment is in both times of a repeat."""
    assert ratios(result([1.0, 10.0], [2.0, 20.0]), 3, "kill") == [0.5, 0.5]


def test_tables_show_medians_spread_and_ratio() -> None:
    """For people, in Markdown."""
    made = result([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert "| SIGKILL of a server | 2.00 (1.00 to 3.00) | 2.00 (2.00 to 2.00) | **1.00** |" in times_table(made)
    assert (
        "| 3 servers | 0.50 %, at most 1.00 % | 0.20 %, at most 0.20 % | 50 | 14 | 200 | 400 | **0.50** |"
        in idle_table(made.idle)
    )
    assert "Serf 0.9.4" in conditions(made)
    assert msgspec.json.decode(msgspec.json.encode(made), type=SerfResult) == made


DUMP = """\
[2026-11-28 19:49:50 +0000 UTC][C] 'serf-agent.memberlist.udp.sent': Count: 9 Min: 1.000 Sum: 900.000 LastUpdated: x
[2026-11-28 19:49:50 +0000 UTC][S] 'serf-agent.memberlist.gossip': Count: 50 Min: 0.007 Sum: 0.632 LastUpdated: x
[2026-11-28 19:50:00 +0000 UTC][C] 'serf-agent.memberlist.udp.sent': Count: 20 Min: 9.000 Sum: 1000.000 LastUpdated: x
[2026-11-28 19:50:00 +0000 UTC][C] 'serf-agent.memberlist.tcp.sent': Count: 1 Sum: 250.000 LastUpdated: x
[2026-11-28 19:50:10 +0000 UTC][C] 'serf-agent.memberlist.udp.sent': Count: 20 Sum: 1100.000 LastUpdated: x
"""


def test_serfs_own_metrics_are_added_up_over_the_intervals_asked_for() -> None:
    """UDP and TCP, and nothing else."""
    at = 1795895400.0
    assert sent_between(DUMP, {at}) == 1250.0
    assert sent_between(DUMP, {at, at + 10}) == 2350.0


@contextmanager
def agent(*answers: list[Any], pieces: int = 1) -> Iterator[int]:
    """An agent that answers the handshake and then so, in so many pieces; its RPC port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for answer in ([{"Seq": 1, "Error": ""}], *answers):
                connection.recv(1 << 16)
                data = b"".join(map(msgspec.msgpack.encode, answer))
                step = -(-len(data) // pieces)
                for start in range(0, len(data), step):
                    connection.sendall(data[start : start + step])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join()


def test_an_agent_is_asked_for_its_members() -> None:
    """Its answer, two objects one behind the other, may come in pieces."""
    members = {"Members": [{"Name": "a", "Status": "alive"}, {"Name": "b", "Status": "failed"}]}
    with agent([{"Seq": 2, "Error": ""}, members], pieces=7) as port, SerfRpc(port) as rpc:
        assert rpc.statuses() == {"a": "alive", "b": "failed"}


def test_what_an_agent_refuses_and_its_end_are_errors() -> None:
    """Each with its words."""
    with agent([{"Seq": 2, "Error": "not now"}]) as port, SerfRpc(port) as rpc:
        with pytest.raises(SerfRpcError, match="leave: not now"):
            rpc.leave()
        with pytest.raises((SerfRpcError, OSError)):
            rpc.leave()
