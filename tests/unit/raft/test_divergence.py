"""Committed entries that a leader contradicts: who is not answered, what is not read, and how a majority settles it."""

from __future__ import annotations

import copy
import zlib
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from actors.raft.attesting import sort_out
from actors.raft.messages import (
    Append,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    Read,
    ReadIndexReply,
    SnapshotChunk,
    SnapshotReply,
    VoteReply,
    VoteRequest,
)
from actors.raft.status import raft_status
from actors.views import status_view
from tests.unit.raft import stage as stage_module
from tests.unit.raft.stage import Letter, Stage
from transport.client.protocol import STALE

COMMITTED = 3
LONG_S = 8.0
CONTRADICTION = Append(2, 1, 2, 1, commit=2, entries=[(b"\x01", COMMITTED, 2)])


def unjudged_stage(servers: int = 3) -> Stage:
    """The judge looks away: its claims do not hold for disks that forget."""
    with mock.patch.object(stage_module, "Judge", mock.MagicMock):
        stage = Stage(voters=servers)
    for one in stage.servers.values():
        one.conduct = mock.MagicMock()
    return stage


def settled_stage(stage: Stage | None = None) -> Stage:
    """s0 leads term 1, and all have committed entry 3."""
    stage = stage or Stage()
    stage.elect("s0")
    stage.propose("s0")
    stage.settle()
    stage.beat("s0")
    stage.settle()
    assert stage.commit("s1") == COMMITTED
    return stage


def diverged_stage() -> Stage:
    """s2 says that it leads term 2, and has another entry 3 than s1 has committed."""
    stage = settled_stage()
    stage.hand(Letter("s2", "s1", CONTRADICTION))
    assert why(stage, "s1")
    stage.lose()
    return stage


def why(stage: Stage, id_: str) -> str:
    """What a server says of its divergence."""
    return stage.state(id_).divergence.why


# --- what it says and what it does not answer -------------------------------------------------------------------------


def test_a_diverged_server_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """In its log, once however often it hears of it, in `status` and in the table: what, why, and what to try."""
    stage = settled_stage()
    for _ in range(3):
        stage.hand(Letter("s2", "s1", CONTRADICTION))

    one = stage["s1"]
    disk: Any = SimpleNamespace(error="")
    status = {**raft_status(one.core, one.applier, disk), "node": "s1", "id": "s1", "cluster_id": "c"}
    line = status["divergence"]
    assert line.startswith(
        "name-s2, which leads term 2, asks to replace committed entry 3: this server's data directory"
    )
    assert "empty --data-dir" in line
    assert f"YES: {line}" in status_view(status)
    assert caplog.messages == [line]


def test_a_diverged_server_answers_no_read() -> None:
    """Neither one that waits for the leader's word, nor one that comes later, nor a stale one, which is told why."""
    stage = settled_stage()
    stage.hand(Letter("s2", "s1", Heartbeat(2, 1, commit=COMMITTED)))
    stage.read("s1")
    stage.hand(Letter("s2", "s1", CONTRADICTION))
    stage.read("s1")

    one = stage["s1"]
    assert (one.reads_answered, one.reads_failed) == (0, 2)
    assert sort_out(Read([(7, b"", STALE)]), one.core, one.applier) == []
    assert one.take_answers() == [(7, "diverged", why(stage, "s1").encode())]


def test_a_restarted_follower_reads_nothing_before_its_log_was_compared() -> None:
    """It knows that entry 3 was committed, and not yet that its leader has it: it may have diverged (rule 4)."""
    stage = settled_stage()
    stage.propose("s0")
    stage.settle()  # with entry 4 goes to disk that 3 is committed
    stage.restart("s1")
    assert stage.commit("s1") == COMMITTED
    stage.hand(Letter("s0", "s1", Heartbeat(1, 99, commit=COMMITTED)))
    stage.lose()
    one = stage["s1"]

    stage.read("s1")
    (asked,) = stage.mail
    stage.hand(Letter("s0", "s1", ReadIndexReply(1, asked.message.request, COMMITTED)))  # type: ignore[attr-defined]
    assert (one.reads_answered, one.reads_failed) == (0, 1)

    stage.pass_time(1.0)
    stage.read("s1")
    stage.settle()
    assert (one.reads_answered, one.reads_failed) == (1, 1)


# --- whom it does not follow ------------------------------------------------------------------------------------------


def test_it_gives_that_leader_no_answer() -> None:
    """Whoever needs its acknowledgements, for entries or for its lead, learns by the silence that it has none."""
    stage = diverged_stage()

    stage.hand(Letter("s2", "s1", Heartbeat(2, 1, commit=COMMITTED)))
    stage.hand(Letter("s2", "s1", Append(2, 2, 2, 1, commit=2, entries=[])))

    assert not stage.letters(HeartbeatReply)
    assert not stage.letters(AppendReply)
    assert stage.state("s1").hears_leader(), "it stands against nobody"


@pytest.mark.parametrize("pre", [True, False])
@pytest.mark.parametrize(("candidate", "granted"), [("s2", False), ("s0", True)])
def test_it_gives_that_leader_no_vote(pre: bool, candidate: str, granted: bool) -> None:
    """However long its log is; others get it, as by Raft."""
    stage = diverged_stage()
    stage.now += 2 * stage.timing.election_max_s

    stage.hand(Letter(candidate, "s1", VoteRequest(3, 9, 2, pre=pre, transfer=False)))

    (reply,) = stage.letters(VoteReply, source="s1")
    assert reply.granted is granted


@pytest.mark.parametrize("index", [COMMITTED, 9])
def test_it_takes_no_snapshot_of_that_leader(index: int) -> None:
    """It may be the last one to have what was acknowledged."""
    stage = diverged_stage()
    chunk = SnapshotChunk(2, index, 2, b"", 0, 1, 0, b"")

    stage.hand(Letter("s2", "s1", chunk))

    assert stage.last_index("s1") == COMMITTED
    assert not stage.letters(SnapshotReply)


# --- how it is found out ----------------------------------------------------------------------------------------------


def test_a_contradiction_behind_the_log_is_found() -> None:
    """The entry is in a snapshot here, but terms never fall along a log: one of term 2 cannot come before one of 1."""
    stage = settled_stage()
    stage.propose("s0", 2)
    stage.settle()
    stage.beat("s0")
    stage.settle()
    stage["s1"].snapshot(stage.now, tail=0)
    stage.step("s1")
    assert stage.state("s1").journal.anchor_index == 5

    stage.hand(Letter("s2", "s1", CONTRADICTION))

    assert "asks to replace committed entry 3" in why(stage, "s1")
    assert not stage.letters(AppendReply)


@pytest.mark.parametrize(
    "append",
    [
        Append(1, 9, 3, 1, commit=2, entries=[], prev_crc=1),
        Append(1, 9, 2, 1, commit=2, entries=[(b"\x02another", COMMITTED, 1)]),
    ],
    ids=["before it", "among them"],
)
def test_another_entry_of_the_same_term_is_found(append: Append) -> None:
    """Servers that have forgotten a term may lead it again, with other entries."""
    stage = settled_stage()

    stage.hand(Letter("s0", "s1", append))

    assert "asks to replace committed entry 3" in why(stage, "s1")
    assert not stage.letters(AppendReply)


def test_another_entry_of_the_same_term_that_is_not_committed_is_replaced() -> None:
    """First it is not taken for the leader's, then it goes, as one of another term would."""
    stage = settled_stage(unjudged_stage())
    stage.propose("s0")
    stage.settle()
    assert (stage.last_index("s1"), stage.commit("s1")) == (4, COMMITTED)

    stage.hand(Letter("s0", "s1", Append(1, 9, 4, 1, commit=3, entries=[], prev_crc=1)))
    (refused,) = stage.letters(AppendReply)
    assert (refused.success, refused.match, refused.end) == (False, COMMITTED, COMMITTED)
    stage.lose()
    stage.hand(Letter("s0", "s1", Append(1, 10, 3, 1, commit=3, entries=[(b"\x02another", 4, 1)])))

    (taken,) = stage.letters(AppendReply)
    assert (taken.success, taken.match) == (True, 4)
    assert stage.state("s1").journal.entries(4, 4) == [(b"\x02another", 4, 1)]


def test_a_leader_says_what_stands_before_until_something_is_acknowledged() -> None:
    """So each log is compared once in a term, and the appends that follow cost nothing more."""
    stage = settled_stage()
    stage.call_election("s2")
    while not stage["s2"].leads:
        stage.deliver()
    last = stage.state("s2").journal.entries(COMMITTED, COMMITTED)[0][0]

    assert {append.prev_crc for append in stage.letters(Append, source="s2")} == {zlib.crc32(last)}
    stage.settle()
    stage.propose("s2")
    assert {append.prev_crc for append in stage.letters(Append, source="s2")} == {0}


def test_a_snapshot_that_contradicts_is_found() -> None:
    """It ends where entries are committed here, with a term that is not theirs."""
    stage = settled_stage()

    stage.hand(Letter("s2", "s1", SnapshotChunk(2, COMMITTED, 2, b"", 0, 1, 0, b"")))

    assert "asks to replace committed entry 3" in why(stage, "s1")
    assert not stage.letters(SnapshotReply)


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_it_ends_with_a_leader_that_has_all_that_is_committed() -> None:
    """s0, whose history it shares, leads again."""
    stage = diverged_stage()
    stage.now += 2 * stage.timing.election_max_s
    for _ in range(3):  # it hears that it leads no more, and of term 2
        stage.call_election("s0")
        stage.settle()
    assert stage["s0"].leads
    stage.pass_time(0.5)

    assert why(stage, "s1") == ""
    stage.read("s1")
    stage.settle()
    assert stage["s1"].reads_answered == 1


def test_it_ends_when_it_leads_itself() -> None:
    """Others have voted for its log."""
    stage = diverged_stage()
    stage.now += 2 * stage.timing.election_max_s

    stage.elect("s1")

    assert why(stage, "s1") == ""


@pytest.mark.parametrize(
    "elections", [0, 1, 3], ids=["its term is older", "its term is the others'", "its term is newer"]
)
@pytest.mark.parametrize("servers", [3, 5])
def test_a_majority_settles_it(elections: int, servers: int) -> None:
    """A majority is put back and goes on; who comes later with what they have lost rules nobody, and reads nothing.

    Where its term is the newest its log is, too, so that it may well be elected: those who contradict it depose it.
    """
    stage = unjudged_stage(servers)
    stage.elect("s0")
    stage.propose("s0", 2)
    stage.pass_time(0.5)
    ids = sorted(stage.servers)
    back, keepers = ids[: servers // 2 + 1], ids[servers // 2 + 1 :]
    copies = {id_: copy.deepcopy(stage[id_].disk) for id_ in back}
    for number in range(elections):
        stage.elect(ids[1 + number % 2])
    leader = next(id_ for id_ in ids if stage[id_].leads)
    stage.propose(leader, 3)
    stage.pass_time(0.5)
    kept = stage[keepers[0]].values

    stage.lose()
    stage.cut_off = set(keepers)
    for id_ in back:
        one = stage[id_]
        one.stop()
        one.disk = copies[id_]
        one.submit = one.disk.submit
        one.start(stage.now, seed=7 + int(id_[1]))
        one.conduct = mock.MagicMock()
    stage.pass_time(LONG_S)
    (leader,) = [id_ for id_ in back if stage[id_].leads]
    stage.propose(leader, 2)
    stage.pass_time(0.5)
    new = stage[back[0]].values
    stage.cut_off.clear()
    stage.pass_time(LONG_S)

    (leader,) = [id_ for id_ in ids if stage[id_].leads]
    assert leader in back
    assert stage[leader].core.leader.is_established
    assert [stage[id_].values for id_ in back] == [new] * len(back)
    assert [why(stage, id_) for id_ in back] == [""] * len(back)
    assert all(why(stage, id_) for id_ in keepers)
    assert [stage[id_].values for id_ in keepers] == [kept] * len(keepers)
    term = stage.term(leader)
    stage.pass_time(LONG_S)
    assert (stage.term(leader), stage[leader].leads) == (term, True), "nobody is disturbed"
