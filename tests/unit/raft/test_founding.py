"""Founding a cluster by several servers, as far as one server's Raft goes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from actors.gossip.member import Member
from actors.gossip.messages import MemberChanged
from actors.raft.configuration import Configuration, Server
from actors.raft.messages import FoundCluster, Heartbeat
from tests.unit.raft.stage import Stage, configuration
from tests.unit.raft.test_refusing_disk import house
from tests.unit.runtime.virtual_time import story
from transport.wire import PROTOCOL_VERSION, Header, Origin, encode_body, kind_of

OTHERS = Configuration(tuple(Server(f"o{i}", f"o{i}", f"127.0.0.1:{i + 2}", voter=True) for i in range(3)))


@story
async def test_b10_a_server_in_use_founds_nothing(tmp_path: Path) -> None:
    """B10: another cluster is refused; its own again changes nothing, whatever configuration comes with it."""
    async with house(tmp_path) as built:
        raft = built.stage.system.ref("raft")
        before = await built.status()
        foreign = await raft.ask(FoundCluster("c2", OTHERS.encode()), timeout_s=5)
        again = await raft.ask(FoundCluster("c1", OTHERS.encode()), timeout_s=5)
        await built.pass_time(2.0)
        after = await built.status()

        assert (foreign.value, again.value) == ({"ok": False}, {"ok": True})
        assert after["peers"] == before["peers"]
        assert (after["role"], after["term"]) == ("leader", before["term"])


@story
async def test_a_leader_is_logged_by_its_name_before_there_is_a_configuration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that joins hears of it from gossip first; of one that nobody has named it shows the id."""
    caplog.set_level(logging.INFO, "quorate")
    async with house(tmp_path) as built:
        built.stage.tell("raft", MemberChanged(Member("o1", "one", "127.0.0.1:2", "alive", {}, 1, 1), ""))
        for term, leader in ((7, "o1"), (8, "o2")):
            beat = Heartbeat(term, 1, 0)
            header = Header(PROTOCOL_VERSION, "raft", kind_of(beat), "raft", 1, 0, None)
            origin = Origin(leader, "127.0.0.1:2", "c1", 1, 1)
            built.stage.system.deliver(header, origin, encode_body(beat), None)
            await built.pass_time(0.1)

    said = [line for line in caplog.messages if line.endswith(" leads")]
    assert "term 7: one leads" in said
    assert "term 8: o2 leads" in said


def test_servers_that_found_together_hold_one_election() -> None:
    """The first by id stands at once, the others wait their time: no votes are split."""
    stage = Stage(voters=0, strangers=3)
    for id_ in ("s2", "s1", "s0"):
        stage[id_].core.found(stage.now, configuration(["s0", "s1", "s2"]))
    stage.pass_time(1.0)

    assert stage["s0"].leads
    assert [stage.term(id_) for id_ in ("s0", "s1", "s2")] == [1, 1, 1]
