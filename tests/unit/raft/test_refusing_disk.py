"""The whole way of a write, from the gateway's proposal to raft.db, on a disk that refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.config import NodeConfig
from actors.identity import Identity
from actors.persistence import PersistenceActor
from actors.raft.messages import LeaderChanged, Propose, RaftStatusRequest, Results
from actors.raft.raft import RaftActor
from actors.runtime.actor import Actor, Context, Sender, handles
from actors.runtime.policy import Strategy
from storage.data_dir import DataDir
from storage.kv import KeyValueStore
from storage.kv_protocol import put
from tests.unit.runtime.stage import Stage
from tests.unit.runtime.virtual_time import story
from tests.unit.storage.disks import FULL, SYNC_FAILED, WRITE_FAILED, RefusingDisk

ELECTION_S = 2.0


class Hearer(Actor):
    """Stands for gateway and reconciler."""

    def __init__(self, context: Context, answers: dict[int, str]) -> None:
        super().__init__(context)
        self._answers = answers

    @handles(Results)
    def hear(self, msg: Results, sender: Sender) -> None:
        """Remember the codes."""
        self._answers |= {key: code for key, code, _ in msg.batch}

    @handles(LeaderChanged)
    def note(self, msg: LeaderChanged, sender: Sender) -> None:
        """Who leads is asked for by status."""


class House:
    """A lone server: persistence and raft under one supervisor, as in a real one."""

    def __init__(self, stage: Stage, data_dir: DataDir) -> None:
        self.stage = stage
        self.data_dir = data_dir
        self.answers: dict[int, str] = {}
        self._machines: list[KeyValueStore] = []

    def machine(self) -> KeyValueStore:
        """A state machine that the test can look into."""
        self._machines.append(KeyValueStore())
        return self._machines[-1]

    @property
    def keys(self) -> int:
        """How many keys the present state machine has."""
        return max(map(len, self._machines[-2:]))

    @property
    def disk(self) -> RefusingDisk:
        """The disk under raft.db as it is open now."""
        assert self.data_dir._raft is not None
        return RefusingDisk(self.data_dir._raft)

    def propose(self, *keys: int) -> None:
        """A client's puts."""
        self.stage.tell("raft", Propose([(key, put(f"k{key}", b"v")) for key in keys]))

    async def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        await self.stage.settle(seconds)

    async def status(self) -> dict[str, Any]:
        """What `status` is made of."""
        answer = await self.stage.system.ref("raft").ask(RaftStatusRequest(), timeout_s=5)
        value: dict[str, Any] = answer.value
        return value


@asynccontextmanager
async def house(path: Path) -> AsyncIterator[House]:
    """Build it, have it lead, and leave nothing open."""
    data_dir = DataDir.open(path)
    try:
        async with Stage() as stage:
            built = House(stage, data_dir)
            identity = Identity("me", "me", "127.0.0.1:1", 1, cluster_id="c1")
            raft = partial(
                RaftActor,
                identity=identity,
                config=NodeConfig(data_dir=path),
                machine=built.machine,
                found_cluster=True,
            )
            await stage.play(
                ("gateway", partial(Hearer, answers=built.answers)), ("reconciler", partial(Hearer, answers={}))
            )
            await stage.play(
                ("persistence", partial(PersistenceActor, data_dir=data_dir)),
                ("raft", raft),
                strategy=Strategy.REST_FOR_ONE,
            )
            await built.pass_time(ELECTION_S)
            assert (await built.status())["role"] == "leader"
            yield built
    finally:
        data_dir.close()


@pytest.mark.parametrize("code", [FULL, WRITE_FAILED], ids=["no space", "I/O error"])
@story
async def test_a_disk_that_refuses_writes_stops_acknowledgements_until_it_does_not(tmp_path: Path, code: int) -> None:
    """No lead and a reason in status meanwhile; then it goes on by itself, and has what it was asked before."""
    async with house(tmp_path) as built:
        built.propose(1)
        await built.pass_time(0.1)
        assert built.answers == {1: "ok"}
        disk = built.disk
        disk.refuse(code)
        built.propose(2)
        await built.pass_time(5.0)
        status = await built.status()
        assert 2 not in built.answers
        assert status["role"] == "follower"
        assert "raft.db" in status["storage_error"]
        built.propose(3)
        await built.pass_time(0.1)
        assert built.answers[3] == "not_leader"

        disk.refuse(None)
        await built.pass_time(ELECTION_S)
        status = await built.status()
        assert (status["role"], status["storage_error"]) == ("leader", "")
        built.propose(4)
        await built.pass_time(0.1)
        assert built.answers[4] == "ok"
        assert built.answers.get(2, "ok") == "ok", "what is in the log is applied, and said to be"
        assert built.keys == 3
        assert built.stage.row("persistence")["restarts"] == 0


@story
async def test_a_sync_that_fails_is_never_tried_again(tmp_path: Path) -> None:
    """Persistence and raft start again from what is on the disk; everything acknowledged is there."""
    async with house(tmp_path) as built:
        built.propose(1, 2)
        await built.pass_time(0.1)
        disk = built.disk
        disk.refuse(SYNC_FAILED)
        built.propose(3)
        await built.pass_time(ELECTION_S)

        assert built.stage.row("persistence")["restarts"] == 1
        assert built.stage.row("raft")["restarts"] == 1
        assert (await built.status())["role"] == "leader"
        assert built.answers.get(3) != "ok"
        built.propose(4)
        await built.pass_time(0.1)
        assert built.answers[4] == "ok"
        assert built.keys in (3, 4)


@story
async def test_a_full_disk_costs_nothing_but_a_try_now_and_then(tmp_path: Path) -> None:
    """No timer runs wild while nothing can be done."""
    async with house(tmp_path) as built:
        built.disk.refuse(FULL)
        built.propose(1)
        await built.pass_time(1.0)
        before = built.stage.row("raft")["handled"]

        await built.pass_time(100.0)

        assert built.stage.row("raft")["handled"] - before < 100 * 10
