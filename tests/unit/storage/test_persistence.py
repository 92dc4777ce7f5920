"""The persistence actor: persist, then speak; who may write; what a refusing disk leads to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from actors.persistence import PersistenceActor
from actors.runtime.actor import Actor, Context, Sender, handles
from actors.runtime.policy import Strategy
from storage.data_dir import DataDir
from storage.raft_messages import (
    HardState,
    RaftLoad,
    RaftLoaded,
    RaftWrite,
    RaftWritten,
    SnapshotHold,
    SnapshotPiece,
    SnapshotRead,
    SnapshotSave,
    SnapshotStage,
    SnapshotStaged,
)
from storage.serf_db import KnownMember, SerfLoad, SerfLoaded, SerfWrite, SerfWritten
from tests.unit.runtime.stage import Stage
from tests.unit.runtime.virtual_time import story
from tests.unit.storage.disks import FULL, SYNC_FAILED, RefusingDisk
from tests.unit.storage.journals import entries


class Hearer(Actor):
    """Stands for the raft actor: loads at its start, and remembers what it is told."""

    def __init__(self, context: Context, house: House) -> None:
        super().__init__(context)
        self._house = house

    async def on_start(self) -> None:
        """Load, as the raft actor does."""
        load = RaftLoad(self.context.incarnation)
        self._house.loaded.append(await self.context.ref("persistence").ask(load, timeout_s=5))

    @handles(RaftWritten)
    def hear(self, msg: RaftWritten, sender: Sender) -> None:
        """Remember, with what the disk held at that moment."""
        self._house.heard.append((msg.incarnation, msg.sequence, msg.error))


class House:
    """A persistence actor and a raft actor under one supervisor."""

    def __init__(self, stage: Stage, data_dir: DataDir) -> None:
        self.stage = stage
        self.data_dir = data_dir
        self.loaded: list[RaftLoaded] = []
        self.heard: list[tuple[int, int, str]] = []

    def write(self, sequence: int, incarnation: int = 1, **changes: object) -> None:
        """Tell a write."""
        self.stage.tell("persistence", RaftWrite(incarnation, sequence, **changes))  # type: ignore[arg-type]

    async def ask(self, msg: object) -> object:
        """Ask the persistence actor."""
        return await self.stage.system.ref("persistence").ask(msg, timeout_s=5)

    def raft_disk(self) -> RefusingDisk:
        """The disk under the actor's raft.db."""
        assert self.data_dir._raft is not None
        return RefusingDisk(self.data_dir._raft)

    def serf_disk(self) -> RefusingDisk:
        """The disk under the actor's serf.db."""
        assert self.data_dir._serf is not None
        return RefusingDisk(self.data_dir._serf)

    async def settle(self) -> list[tuple[int, int, str]]:
        """Let everything happen; returns and forgets what the raft actor has heard."""
        await self.stage.settle()
        heard, self.heard = self.heard, []
        return heard


@asynccontextmanager
async def house(path: Path) -> AsyncIterator[House]:
    """Build it, and leave nothing open."""
    data_dir = DataDir.open(path)
    try:
        async with Stage() as stage:
            built = House(stage, data_dir)
            await stage.play(
                ("persistence", partial(PersistenceActor, data_dir=data_dir)),
                ("raft", partial(Hearer, house=built)),
                strategy=Strategy.REST_FOR_ONE,
            )
            yield built
    finally:
        data_dir.close()


@story
async def test_an_answer_means_that_it_is_on_the_disk(tmp_path: Path) -> None:
    """Each write is answered, in order, and a restart finds all of it."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, "me"), cluster_id="c1")
        built.write(2, append=entries(2, 4))
        built.write(3, append=entries(5, 5), commit=4)
        assert await built.settle() == [(1, 1, ""), (1, 2, ""), (1, 3, "")]

    async with house(tmp_path) as built:
        (loaded,) = built.loaded
        assert (loaded.hard_state, loaded.entries, loaded.commit) == (HardState(1, "me"), entries(2, 5), 4)


@story
async def test_only_the_incarnation_that_loaded_last_writes(tmp_path: Path) -> None:
    """What a dead raft actor left in the mailbox must not mix with what its successor knows."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 4))
        built.stage.system.kill("raft", 1)
        await built.settle()
        built.write(2, incarnation=1, append=entries(5, 6))
        assert await built.ask(SnapshotStage(1, 0, b"x")) == SnapshotStaged("raft@2 has loaded since")
        built.write(1, incarnation=2, append=entries(5, 5))

        assert await built.settle() == [(2, 1, "")]
        assert [len(loaded.entries) for loaded in built.loaded] == [0, 3]
        assert built.data_dir.open_raft().load().entries == entries(2, 5)


@story
async def test_nobody_writes_before_somebody_has_loaded(tmp_path: Path) -> None:
    """After a restart of this actor alone the writes that waited rest on what was lost in the crash."""
    data_dir = DataDir.open(tmp_path)
    async with Stage() as stage:
        await stage.play(("persistence", partial(PersistenceActor, data_dir=data_dir)))
        stage.tell("persistence", RaftWrite(1, 1, hard_state=HardState(9, None)))
        await stage.settle()

        assert data_dir.open_raft().is_fresh
    data_dir.close()


@story
async def test_a_full_disk_is_told_and_nothing_overtakes_the_refused_write(tmp_path: Path) -> None:
    """The operations are kept by the raft actor and tried again; meanwhile no later write may leave a gap."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None))
        disk = built.raft_disk()
        assert await built.settle() == [(1, 1, "")]
        disk.refuse(FULL)
        built.write(2, append=entries(2, 4))
        assert await built.ask(SnapshotStage(1, 0, b"x")) != SnapshotStaged()
        disk.refuse(None)
        built.write(3, append=entries(5, 6))
        built.write(4, commit=3)
        (second, third, fourth) = await built.settle()

        assert second[:2] == (1, 2)
        assert "the disk is full" in second[2]
        assert third == (1, 3, "write 2 before it was refused")
        assert fourth == (1, 4, "write 2 before it was refused")

        built.write(2, append=entries(2, 4))
        built.write(3, append=entries(5, 6))
        built.write(4, commit=3)
        assert await built.settle() == [(1, 2, ""), (1, 3, ""), (1, 4, "")]
        assert built.stage.row("persistence")["restarts"] == 0

    async with house(tmp_path) as built:
        assert built.loaded[0].entries == entries(2, 6)


@story
async def test_a_write_that_is_done_is_only_acknowledged_again(tmp_path: Path) -> None:
    """Who tries again may do so twice before the first answer reaches it."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 4))
        built.write(1, hard_state=HardState(1, None), append=entries(2, 4))
        built.write(2, append=entries(5, 5))

        assert await built.settle() == [(1, 1, ""), (1, 1, ""), (1, 2, "")]


@story
async def test_after_a_failed_sync_everybody_reloads(tmp_path: Path) -> None:
    """The kernel may have dropped the pages: never sync again and hope. What the disk has is what counts."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 4))
        disk = built.raft_disk()
        await built.settle()
        disk.refuse(SYNC_FAILED)
        built.write(2, append=entries(5, 6))
        built.write(3, append=entries(7, 8))

        assert await built.settle() == []
        assert [built.stage.row(name)["incarnation"] for name in ("persistence", "raft")] == [2, 2]
        assert built.loaded[-1].entries == entries(2, 4)
        built.write(1, incarnation=2, append=entries(5, 5))
        assert await built.settle() == [(2, 1, "")]


@story
async def test_a_broken_promise_of_the_raft_actor_ends_everybody(tmp_path: Path) -> None:
    """A gap in the log is a bug: reloading is better than going on with a log nobody has."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 4))
        built.write(2, append=entries(9, 9))

        assert await built.settle() == [(1, 1, "")]
        assert "entry 9 where 5 is due" in built.stage.row("persistence")["last_error"]
        assert built.loaded[-1].entries == entries(2, 4)


@story
async def test_a_snapshot_is_staged_by_asks(tmp_path: Path) -> None:
    """Chunk by chunk, so that other messages are handled in between."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 9))
        for number in range(3):
            assert await built.ask(SnapshotStage(1, number, b"%d" % number)) == SnapshotStaged()
        built.write(2, snapshot=SnapshotSave(8, 1, b"v", [], 8, 1, False, staged=3))
        assert await built.settle() == [(1, 1, ""), (1, 2, "")]

    async with house(tmp_path) as built:
        assert built.loaded[0].snapshot == SnapshotSave(8, 1, b"v", [], 8, 1, False, staged=3, size=3)
        assert await built.ask(SnapshotRead(8, 2)) == SnapshotPiece(b"2")
        assert await built.ask(SnapshotRead(8, 3)) == SnapshotPiece(None)
        assert await built.ask(SnapshotRead(7, 0)) == SnapshotPiece(None)


@story
async def test_a_leaders_snapshot_is_staged_with_the_writes_of_the_turns(tmp_path: Path) -> None:
    """Beside one that this server makes: the two never mix, and the leader's ends the other."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 9), stage=[(0, b"a"), (1, b"b")])
        assert await built.ask(SnapshotStage(1, 0, b"own")) == SnapshotStaged()
        built.write(2, stage=[(2, b"c")])
        assert await built.ask(SnapshotStage(1, 1, b"own")) == SnapshotStaged()
        built.write(3, snapshot=SnapshotSave(20, 1, b"v", [], 20, 1, True, staged=3, received=True))
        assert await built.settle() == [(1, 1, ""), (1, 2, ""), (1, 3, "")]
        assert await built.ask(SnapshotStage(1, 2, b"own")) != SnapshotStaged()

        assert [await built.ask(SnapshotRead(20, number)) for number in range(3)] == [
            SnapshotPiece(b"a"), SnapshotPiece(b"b"), SnapshotPiece(b"c")
        ]  # fmt: skip


@story
async def test_a_snapshot_that_is_being_sent_outlives_the_next_one(tmp_path: Path) -> None:
    """Held it stays readable, then it is garbage; the incarnation that has loaded says which."""
    async with house(tmp_path) as built:
        built.write(1, hard_state=HardState(1, None), append=entries(2, 9))
        built.write(2, snapshot=SnapshotSave(5, 1, b"v", [b"at 5"], 5, 1, False))
        built.stage.tell("persistence", SnapshotHold(1, [5]))
        built.write(3, snapshot=SnapshotSave(8, 1, b"v", [b"at 8"], 8, 1, False))
        built.write(4, append=entries(10, 10))
        await built.settle()
        built.stage.tell("persistence", SnapshotHold(7, []))
        assert await built.ask(SnapshotRead(5, 0)) == SnapshotPiece(b"at 5")
        assert await built.ask(SnapshotRead(8, 0)) == SnapshotPiece(b"at 8")

        built.stage.tell("persistence", SnapshotHold(1, []))
        assert await built.ask(SnapshotRead(5, 0)) == SnapshotPiece(None)
        built.write(5, append=entries(11, 11))
        await built.settle()
        (left,) = built.raft_disk().execute("SELECT count(*) FROM chunks").fetchone()
        assert left == 1


def members(count: int) -> list[KnownMember]:
    """So many members."""
    return [KnownMember(f"id-{number:03}", "name", "10.0.0.1:1", "alive", 1) for number in range(count)]


@story
async def test_serf_writes_of_one_turn_are_one_commit(tmp_path: Path) -> None:
    """A hundred members that change at once do not stop the loop a hundred times."""
    async with house(tmp_path) as built:
        disk = built.serf_disk()
        built.stage.tell("persistence", *(SerfWrite(upsert=[member], clock=9) for member in members(100)))
        loaded = await built.ask(SerfLoad())

        assert isinstance(loaded, SerfLoaded)
        assert loaded.state.members == members(100)
        assert disk.commits == 1


@story
async def test_an_asked_serf_write_is_answered_once_it_is_on_the_disk(tmp_path: Path) -> None:
    """Gossip's incarnation is written before it is used."""
    async with house(tmp_path) as built:
        assert await built.ask(SerfWrite(incarnation=5)) == SerfWritten()

    data_dir = DataDir.open(tmp_path)
    assert data_dir.identify("x").incarnation == 5
    data_dir.close()


@story
async def test_refused_serf_writes_are_tried_with_the_next(tmp_path: Path) -> None:
    """Nothing gossip has told is lost to a disk that was full for a while."""
    async with house(tmp_path) as built:
        disk = built.serf_disk()
        disk.refuse(FULL)
        built.stage.tell("persistence", SerfWrite(upsert=members(2), left=True))
        answer = await built.ask(SerfWrite(incarnation=5))
        assert isinstance(answer, SerfWritten)
        assert "the disk is full" in answer.error

        disk.refuse(None)
        assert await built.ask(SerfWrite(clock=6)) == SerfWritten()
        loaded = await built.ask(SerfLoad())
        assert isinstance(loaded, SerfLoaded)
        assert (loaded.state.incarnation, loaded.state.clock, loaded.state.left) == (5, 6, True)
        assert loaded.state.members == members(2)


@story
async def test_a_slow_commit_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that takes long stops gossip too: somebody should know."""
    async with house(tmp_path) as built:
        disk = built.raft_disk()
        disk.on_commit = lambda: built.stage.loop.advance(0.3)
        built.write(1, hard_state=HardState(1, None))
        await built.settle()

    assert "a commit of raft.db took 300 ms" in caplog.text
