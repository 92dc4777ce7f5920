"""docs/design.md, rows 12, 13 and 15: changes of the configuration, and standbys."""

from __future__ import annotations

import pytest

from actors.raft.entries import is_configuration
from actors.raft.messages import Append, Configure, VoteRequest
from actors.raft.status import raft_view
from tests.unit.raft.stage import Letter, Stage, configuration, server


def voters(stage: Stage, id_: str) -> list[str]:
    """The voters that a server knows of."""
    return sorted(stage.state(id_).configuration.voters)


# --- row 12: one change at a time ------------------------------------------------------------------------------------


def test_row_12_one_uncommitted_change() -> None:
    """While a change is not committed the next one is refused; afterwards it is made."""
    stage = Stage(voters=3, strangers=2)
    stage.elect("s0")
    assert stage.change("s0", "add_standby", "s3") == ""

    assert stage.change("s0", "add_standby", "s4") == "another change is not committed yet"

    stage.settle()
    assert stage.change("s0", "add_standby", "s4") == ""


def test_row_12_no_change_before_an_entry_of_the_term() -> None:
    """A new leader changes nothing before its own no-op is committed."""
    stage = Stage(voters=3, strangers=1)
    stage.call_election("s0")
    while not stage["s0"].leads:
        stage.deliver()

    assert stage.change("s0", "add_standby", "s3") == "no entry of this term is committed yet"

    stage.settle()
    assert stage.change("s0", "add_standby", "s3") == ""


def test_row_12_change_of_an_old_view_is_refused() -> None:
    """The configuration has moved since the change was thought up: think again."""
    stage = Stage(voters=3, strangers=1)
    stage.elect("s0")
    stage.change("s0", "add_standby", "s3")
    stage.settle()

    change = Configure("promote", 1, "s3", "name-s3", "10.0.0.3:7946")

    assert stage["s0"].core.configure(stage.now, change) == "the configuration has changed meanwhile"


@pytest.mark.parametrize("kind", ["remove", "demote"])
def test_leader_keeps_its_own_vote(kind: str) -> None:
    """The engine counts the leader's own vote always (row 14); it hands over first."""
    stage = Stage(voters=3)
    stage.elect("s0")

    assert "transfer leadership first" in stage.change("s0", kind, "s0")


def test_no_change_while_leadership_is_handed_over() -> None:
    """A change would put the hand-over off."""
    stage = Stage(voters=3, strangers=1)
    stage.elect("s0")
    stage["s0"].core.transfer(stage.now, "s1")

    assert stage.change("s0", "add_standby", "s3") == "leadership is being handed over"
    assert stage.change("s1", "add_standby", "s3") == "this server is not the leader"


def test_row_12_a_new_leader_finds_out_who_answers_before_it_changes_anything() -> None:
    """It takes everybody for heard at first, and the reconciler would count on the vote of a server that is dead."""
    stage = Stage(voters=3)
    stage.cut_off = {"s2"}
    stage.elect("s0")
    assert stage.commit("s0") == stage.last_index("s0")

    assert not raft_view(stage["s0"].core).is_settled
    stage.pass_time(stage.timing.election_max_s + 2 * stage.timing.heartbeat_s)

    view = raft_view(stage["s0"].core)
    heard = {one.id: one.heard_s_ago or 0.0 for one in view.servers}
    assert view.is_settled
    assert heard["s2"] > stage.timing.election_max_s
    assert heard["s1"] < stage.timing.election_min_s


# --- row 13: the configuration is a function of snapshot and log -----------------------------------------------------


def test_row_13_change_takes_effect_when_appended() -> None:
    """Added, a voter is replicated to and counted before the change is committed."""
    stage = Stage(voters=1, standbys=1)
    stage.elect("s0")

    assert stage.change("s0", "promote", "s1") == ""

    assert voters(stage, "s0") == ["s0", "s1"]
    assert stage.commit("s0") < stage.last_index("s0")
    stage.settle()
    assert voters(stage, "s1") == ["s0", "s1"]
    assert stage.commit("s0") == stage.last_index("s0")


def test_row_13_change_falls_back_when_truncated() -> None:
    """A change that a new leader does not have is gone, on the servers that had it, in the engine too."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    assert stage.change("s0", "promote", "s3") == ""
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()
    assert voters(stage, "s1") == ["s0", "s1", "s2", "s3"]

    stage.hand(Letter("s2", "s1", Append(2, 1, 2, 1, 2, [(b"\x01", 3, 2)])))

    assert voters(stage, "s1") == ["s0", "s1", "s2"]
    assert len(stage.state("s1").engine.otherNodes) == 2


def test_row_13_first_leader_says_the_first_configuration() -> None:
    """Whoever joined instead of founding learns it with the first entry, or could neither stand nor give its vote.

    With an entry that the leader forgot in a crash it would have the longer log, and no configuration to stand by.
    """
    stage = Stage()
    stage.cut_off = {"s2"}
    stage["s1"].disk.snapshot = None
    stage.restart("s1")
    stage.call_election("s0")
    stage.deliver()
    stage.deliver()
    stage.slow_disks = {"s0"}
    stage.settle()
    assert stage["s0"].leads

    stage.restart("s0")
    stage.catch_up_disk("s0")
    stage.pass_time(5 * stage.timing.election_max_s)

    assert any(stage[id_].leads for id_ in ("s0", "s1"))
    assert voters(stage, "s1") == ["s0", "s1", "s2"]


def test_row_13_restart_finds_the_same_configuration() -> None:
    """Added and removed again, a server stays removed after a restart: nothing is replayed."""
    stage = Stage(voters=3, strangers=1)
    stage.elect("s0")
    for kind in ("add_standby", "promote", "remove"):
        assert stage.change("s0", kind, "s3") == ""
        stage.settle()
    stage.beat("s0")
    stage.settle()
    changes = [entry for entry in stage.state("s1").journal[:] if is_configuration(entry[0])]
    assert len(changes) == 4, "the first configuration, which the first entry says, and the three"

    stage.restart("s1")
    stage.pass_time(3 * stage.timing.heartbeat_s)

    assert voters(stage, "s1") == ["s0", "s1", "s2"]
    assert stage.state("s1").configuration.get("s3") is None
    assert stage["s1"].core.applied_index == stage.last_index("s1")


def test_row_13_restart_finds_an_uncommitted_change() -> None:
    """What is in the log counts, committed or not."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.change("s0", "promote", "s3")
    stage.lose()

    stage.restart("s0")

    assert voters(stage, "s0") == ["s0", "s1", "s2", "s3"]


def test_row_13_applying_a_change_does_nothing() -> None:
    """The state machine and the configuration are the same before and after."""
    stage = Stage(voters=3, strangers=1)
    stage.elect("s0")
    stage.change("s0", "add_standby", "s3")
    before = stage.state("s0").configuration
    stage.settle()

    assert stage["s0"].core.applied_index == stage.last_index("s0")
    assert stage.state("s0").configuration is before
    assert stage["s0"].values == []


# --- row 15: standbys ------------------------------------------------------------------------------------------------


def test_row_15_standby_follows_and_does_not_count() -> None:
    """A standby gets every entry, and neither commits nor elects."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.cut_off.update(("s1", "s2"))
    commit = stage.commit("s0")

    stage.propose("s0")
    stage.settle()

    assert stage.last_index("s3") == stage.last_index("s0")
    assert stage.commit("s0") == commit
    assert stage["s3"].core.role == "standby"


def test_row_15_standby_never_campaigns() -> None:
    """Without any leader it asks nobody for a vote, and says that it hears none."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")

    stage.now += 2 * stage.timing.election_max_s
    stage.tick("s3")

    assert not stage.letters(VoteRequest)
    assert (stage["s3"].core.role, stage.term("s3"), stage.state("s3").leader) == ("standby", 1, None)


def test_row_15_standby_becomes_voter_and_back() -> None:
    """Promoted it counts, demoted it does not, and the engine ticks on through both (row 15's KeyError)."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    assert stage.change("s0", "promote", "s3") == ""
    stage.settle()
    stage.cut_off.add("s1")
    stage.propose("s0")
    stage.settle()
    assert stage.commit("s0") == stage.last_index("s0")

    assert stage.change("s0", "demote", "s3") == ""
    stage.settle()
    stage.propose("s0")
    stage.settle()

    assert stage.commit("s0") == stage.last_index("s0")
    assert stage.last_index("s3") == stage.last_index("s0")
    assert voters(stage, "s3") == ["s0", "s1", "s2"]


def test_row_15_promotion_keeps_what_is_known_of_a_standby() -> None:
    """A standby that has everything is not asked again when it gets its vote."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.settle()
    match = stage.state("s0").engine.match_index("s3")
    assert match == stage.last_index("s0")

    stage.change("s0", "promote", "s3")

    assert stage.state("s0").engine.match_index("s3") == match


def test_newcomer_gets_everything() -> None:
    """A server that knows nothing becomes a standby, then a voter, and has log, state and configuration."""
    stage = Stage(voters=1, strangers=1)
    stage.elect("s0")
    stage.propose("s0", 5)
    stage.settle()

    assert stage.change("s0", "add_standby", "s1") == ""
    stage.pass_time(0.3)
    assert stage.change("s0", "promote", "s1") == ""
    stage.pass_time(0.3)

    assert stage["s1"].values == stage["s0"].values
    assert stage.state("s1").configuration == configuration(["s0", "s1"])
    assert stage["s1"].core.role == "follower"


def test_removed_server_disturbs_nobody() -> None:
    """It never hears of its removal and asks for votes; nobody that hears a leader gives one."""
    stage = Stage(voters=3)
    stage.elect("s0")
    assert stage.change("s0", "remove", server("s2").id) == ""
    stage.settle()

    stage.pass_time(5.0)

    assert stage["s0"].leads
    assert (stage.term("s0"), stage.term("s1")) == (1, 1)


def test_change_is_on_the_leaders_disk_before_anybody_has_it() -> None:
    """A leader that forgot in a crash that it took the other voter's vote needs that vote, and would never get it.

    The other one has the longer log, so it refuses; and it is a standby by that log, so it does not stand itself.
    """
    stage = Stage(voters=2)
    stage.elect("s0")
    stage.slow_disks.add("s0")
    assert stage.change("s0", "demote", "s1") == ""
    stage.settle()
    stage.restart("s0")
    stage.slow_disks.clear()

    stage.pass_time(5.0)

    assert stage["s0"].leads or stage["s1"].leads


def test_change_waits_for_the_disk_and_goes() -> None:
    """It is sent when it is on disk, without waiting for a heartbeat."""
    stage = Stage(voters=3, strangers=1)
    stage.elect("s0")
    stage.slow_disks.add("s0")
    assert stage.change("s0", "add_standby", "s3") == ""
    assert not stage.letters(Append)

    stage.catch_up_disk("s0")

    assert len(stage.letters(Append)) == 2


def test_change_reaches_whom_it_takes_the_vote_of_when_it_is_committed() -> None:
    """Of four voters the leader takes s3's vote, and dies when only s3 could have heard: the other three elect one.

    With the longer log s3 would refuse the two whose majority it is part of, and by that log it must not stand itself.
    """
    stage = Stage(voters=4)
    stage.elect("s0")
    assert stage.change("s0", "demote", "s3") == ""
    stage.deliver(lambda letter: letter.target == "s3")
    stage.lose()
    stage.cut_off.add("s0")

    stage.pass_time(5.0)

    assert any(stage[id_].leads for id_ in ("s1", "s2", "s3"))


def test_change_reaches_whom_it_took_the_vote_of() -> None:
    """Once it is committed, at once."""
    stage = Stage(voters=4)
    stage.elect("s0")
    stage.change("s0", "demote", "s3")

    stage.settle()

    assert stage.last_index("s3") == stage.last_index("s0")
    assert voters(stage, "s3") == ["s0", "s1", "s2"]
