"""The configuration: one-step changes, and a history that is a function of snapshot and log."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.raft.configuration import SERVERS_MAX, ChangeRefusedError, Configuration, ConfigurationLog, Server
from actors.raft.entries import encode_configuration
from storage.log_table import Entry
from tests.unit.raft.stage import configuration, server


def entry(index: int, *voters: str) -> Entry:
    """An entry that holds a configuration."""
    return encode_configuration(configuration(voters).encode()), index, 1


COMMAND: Entry = (b"\x00\x90", 9, 1)


def test_bytes_and_back() -> None:
    """A configuration survives its encoding; no bytes are the empty one."""
    one = configuration(["s0", "s1"], ["s2"])

    assert Configuration.decode(one.encode()) == one
    assert Configuration.decode(b"") == Configuration()


def test_changes() -> None:
    """One server at a time: comes as standby, gets its vote, loses it, moves, goes."""
    one = configuration(["s0"])

    one = one.changed("add_standby", server("s1", voter=True))
    assert one == configuration(["s0"], ["s1"])
    one = one.changed("promote", server("s1"))
    assert one.voters == {"s0", "s1"}
    one = one.changed("demote", server("s0"))
    assert one == configuration(["s1"], ["s0"])
    moved = replace(server("s0"), name="new", address="10.9.9.9:1")
    one = one.changed("update", moved)
    known = one.get("s0")
    assert known is not None
    assert (known.name, known.address, known.voter) == ("new", "10.9.9.9:1", False)
    assert one.named("new") == known
    assert one.changed("remove", server("s0")) == configuration(["s1"])


@pytest.mark.parametrize(
    ("kind", "target", "reason"),
    [
        ("add_standby", "s0", "in the configuration already"),
        ("promote", "s9", "not in the configuration"),
        ("remove", "s9", "not in the configuration"),
        ("remove", "s0", "at least one voter"),
        ("demote", "s0", "at least one voter"),
        ("rename", "s0", "unknown change 'rename'"),
    ],
)
def test_refused_changes(kind: str, target: str, reason: str) -> None:
    """What would leave a configuration nobody can use is refused, with the reason."""
    with pytest.raises(ChangeRefusedError, match=reason):
        configuration(["s0"], ["s1"]).changed(kind, server(target))


def test_two_servers_at_one_address() -> None:
    """Frames for one would reach the other."""
    twin = replace(server("s1"), address=server("s0").address)

    with pytest.raises(ChangeRefusedError, match="two servers with the address"):
        configuration(["s0"]).changed("add_standby", twin)


def test_two_servers_swap_their_addresses() -> None:
    """The first to be updated hands its own on: else neither could ever have the other's."""
    swapped = configuration(["s0", "s1", "s2"]).changed("update", replace(server("s0"), address=server("s1").address))

    assert [s.address for s in swapped.servers] == [server(id_).address for id_ in ("s1", "s0", "s2")]


@pytest.mark.parametrize("nameless", [replace(server("s1"), id=""), replace(server("s1"), address="")])
def test_nameless_server(nameless: Server) -> None:
    """A server needs an id and an address."""
    with pytest.raises(ChangeRefusedError, match="needs an id and an address"):
        configuration(["s0"]).changed("add_standby", nameless)


def test_too_many_servers() -> None:
    """There is a limit."""
    full = configuration([f"s{number}" for number in range(SERVERS_MAX)])

    with pytest.raises(ChangeRefusedError, match="at most"):
        full.changed("add_standby", server("s999"))


@pytest.mark.parametrize(
    ("voters", "ids", "is_quorum"),
    [(1, 1, True), (2, 1, False), (3, 2, True), (4, 2, False), (4, 3, True), (5, 2, False), (0, 0, False)],
)
def test_quorum(voters: int, ids: int, is_quorum: bool) -> None:
    """More than half of the voters; standbys and strangers do not count."""
    one = configuration([f"s{number}" for number in range(voters)], ["s8"])

    assert one.is_quorum([*(f"s{number}" for number in range(ids)), "s8", "s9"]) is is_quorum


def test_latest_appended_is_in_force() -> None:
    """Committed or not."""
    log = ConfigurationLog()
    assert (log.latest, log.latest_index) == (Configuration(), 0)

    assert log.append([COMMAND, entry(5, "s0"), entry(6, "s0", "s1")])
    assert not log.append([COMMAND])

    assert (log.latest, log.latest_index) == (configuration(["s0", "s1"]), 6)
    assert log.at(5) == configuration(["s0"])
    assert log.at(4) == Configuration()
    assert log.at(99) == log.latest


def test_truncated_change_falls_back() -> None:
    """To the one before, of the log or of the snapshot."""
    log = ConfigurationLog()
    log.restart(3, configuration(["s0"]))
    log.append([entry(5, "s0", "s1")])

    assert not log.truncate_from(6)
    assert log.truncate_from(5)
    assert (log.latest, log.latest_index) == (configuration(["s0"]), 3)


def test_compaction_keeps_what_a_snapshot_needs() -> None:
    """``at`` answers from the index of the snapshot on."""
    log = ConfigurationLog()
    log.append([entry(5, "s0"), entry(7, "s0", "s1"), entry(9, "s0", "s1", "s2")])

    log.compact(8)

    assert log.at(8) == configuration(["s0", "s1"])
    assert log.at(9) == configuration(["s0", "s1", "s2"])
    assert log.truncate_from(9)
    assert log.latest == configuration(["s0", "s1"])


def test_compaction_of_a_log_without_changes() -> None:
    """What a snapshot brought stays."""
    log = ConfigurationLog()
    log.restart(3, configuration(["s0"]))

    log.compact(20)

    assert (log.at(20), log.latest_index) == (configuration(["s0"]), 3)
