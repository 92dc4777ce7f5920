"""serf.db: who this server is and whom it knew."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.errors import CorruptFile
from storage.serf_db import KnownMember, SerfDb, SerfState, SerfWrite, merged


def member(number: int, status: str = "alive", incarnation: int = 1) -> KnownMember:
    """A member with tags of its own."""
    return KnownMember(f"id-{number}", f"name-{number}", f"10.0.0.{number}:7946", status, incarnation, {"zone": "a"})


def reopened(path: Path) -> SerfState:
    """What the next start reads."""
    db = SerfDb(path)
    state = db.load()
    db.close()
    return state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A fresh serf.db."""
    SerfDb.create(tmp_path / "serf.db", "server-1")
    return tmp_path / "serf.db"


def test_a_fresh_file_knows_nothing_but_the_id(path: Path) -> None:
    """The id is made with the file."""
    assert reopened(path) == SerfState("server-1", "", 0, 0, 0, "", False, [])


def test_everything_written_is_there_at_the_next_start(path: Path) -> None:
    """Failed members too: they may be the only ones that come back."""
    db = SerfDb(path)
    db.begin("one", "Counter")
    db.write(SerfWrite(incarnation=7, clock=40, cluster_id="c1", upsert=[member(2), member(1, "failed")]))
    db.write(SerfWrite(left=True, name="uno", tags={"zone": "b"}, given_tags={"zone": "a"}))
    db.close()

    assert reopened(path) == SerfState(
        "server-1", "uno", 1, 7, 40, "c1", True, [member(1, "failed"), member(2)], {"zone": "b"}, {"zone": "a"}, 0, 0,
        "Counter",
    )  # fmt: skip


def test_what_a_write_does_not_name_stays(path: Path) -> None:
    """None means unchanged, and an empty write changes nothing."""
    db = SerfDb(path)
    db.write(SerfWrite(incarnation=7, clock=40, cluster_id="c1", left=True, upsert=[member(1)]))
    before = db.load()
    db.write(SerfWrite())
    db.close()

    assert reopened(path) == before


def test_members_are_replaced_and_forgotten_by_id(path: Path) -> None:
    """A member that moved is the same member."""
    db = SerfDb(path)
    db.write(SerfWrite(upsert=[member(1), member(2), member(3)]))
    moved = replace(member(2), address="10.9.9.9:1", name="other", incarnation=5)
    db.write(SerfWrite(upsert=[moved], remove=["id-1", "id-unknown"]))
    db.close()

    assert reopened(path).members == [moved, member(3)]


def test_incarnation_and_clock_never_go_back(path: Path) -> None:
    """A server that came back with a lower incarnation could not refute a rumour about its former self."""
    db = SerfDb(path)
    db.write(SerfWrite(incarnation=9, clock=90))
    db.write(SerfWrite(incarnation=3, clock=30))
    db.close()

    assert (reopened(path).incarnation, reopened(path).clock) == (9, 90)


def test_merged_writes_do_what_they_do_one_by_one(path: Path, tmp_path: Path) -> None:
    """The persistence actor makes one commit of a batch."""
    writes = [
        SerfWrite(incarnation=1, upsert=[member(1), member(2)]),
        SerfWrite(remove=["id-1"], clock=4),
        SerfWrite(upsert=[member(1, "left"), member(3)], left=True),
        SerfWrite(remove=["id-3"], clock=2, left=False, name="x"),
        SerfWrite(upsert=[member(4)], remove=["id-4"], cluster_id="c"),
    ]
    SerfDb.create(tmp_path / "other.db", "server-1")
    one, other = SerfDb(path), SerfDb(tmp_path / "other.db")
    together = SerfWrite()
    for write in writes:
        one.write(write)
        together = merged(together, write)
    other.write(together)

    assert one.load() == other.load()
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("UPDATE self SET id = 'server-2'", "identity of the server does not match"),
        ("DELETE FROM self", "identity of the server is missing"),
        ("UPDATE members SET address = 'elsewhere' WHERE id = 'id-2'", "member 'name-2' does not match"),
    ],
)
def test_a_changed_row_is_found(path: Path, sql: str, complaint: str) -> None:
    """The same checks as in raft.db: an id that changed by itself would be another server."""
    db = SerfDb(path)
    db.write(SerfWrite(upsert=[member(1), member(2)]))
    db._file.connection.execute(sql)
    db.close()

    with pytest.raises(CorruptFile, match=complaint):
        reopened(path)


def test_the_clocks_of_events_never_go_back(path: Path) -> None:
    """What was heard in an earlier run is not delivered again, also when two writes become one."""
    db = SerfDb(path)
    db.write(merged(SerfWrite(event_clock=9, query_clock=4), SerfWrite(event_clock=7)))
    db.write(SerfWrite(event_clock=3, query_clock=5))
    db.close()

    state = reopened(path)
    assert (state.event_clock, state.query_clock) == (9, 5)
