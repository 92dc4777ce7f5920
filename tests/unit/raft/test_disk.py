"""The simulated disk against raft.db: the same writes, the same answer to 'what is there?'."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from actors.raft.journal import RestoredLog, Write
from storage.raft_db import RaftDb
from storage.raft_messages import RaftWrite
from tests.simulation.disk import SimDisk
from tests.simulation.server import SimServer
from tests.simulation.simulation import Simulation

RESTARTS_MIN = 6
INSTALLS_MIN = 1
SEEDS_MAX = 20


class MirroredDisk(SimDisk):
    """Does every write to a real raft.db as well, and compares the two at every start."""

    def __init__(self, like: SimDisk, path: Path) -> None:
        super().__init__(like.state.server_id)
        RaftDb.create(path, like.state.server_id)
        self.path = path
        self.db = RaftDb(path)
        self.loads = self.installs = 0
        if like.snapshot is not None:
            self._do(RaftWrite(1, 0, snapshot=like.snapshot))

    def _do(self, write: Write | RaftWrite) -> None:
        assert isinstance(write, RaftWrite), "it is written to by the persistence actor"
        super()._do(write)
        self.installs += write.snapshot is not None and write.snapshot.discard_log
        self.db.write(write)

    def reopen(self) -> None:
        """A new process reads the file anew."""
        super().reopen()
        self.db.close()
        self.db = RaftDb(self.path)

    def load(self) -> RestoredLog:
        """What the simulation restarts from, if raft.db says the same."""
        self.loads += 1
        restored, loaded = super().load(), self.db.load()
        assert loaded.hard_state == restored.hard_state
        assert (loaded.anchor_index, loaded.anchor_term) == restored.anchor
        assert loaded.entries == restored.entries
        assert loaded.commit == restored.commit
        assert replace(loaded.arriving, series=0) == replace(restored.arriving, series=0)
        assert (loaded.snapshot is None) == (restored.snapshot is None)
        if loaded.snapshot is not None and restored.snapshot is not None:
            assert (loaded.snapshot.index, loaded.snapshot.term) == (restored.snapshot.index, restored.snapshot.term)
            assert loaded.snapshot.configuration == restored.snapshot.configuration
            numbers = range(loaded.snapshot.staged)
            assert [self.db.chunk(loaded.snapshot.index, n) for n in numbers] == restored.snapshot.chunks
        return restored


def mirrored(seed: int, folder: Path) -> tuple[Simulation, list[MirroredDisk]]:
    """A simulation whose servers write to raft.db too."""
    simulation = Simulation(seed)
    disks = []
    folder.mkdir()
    for server in simulation.servers.values():
        assert isinstance(server, SimServer)
        disk = MirroredDisk(server.disk, folder / f"{server.id}.db")
        disks.append(disk)
        server.disk = simulation.judge.disks[server.id] = disk
    return simulation, disks


def test_raft_db_takes_every_write_of_a_storm(tmp_path: Path) -> None:
    """Whatever the core writes in a storm, raft.db accepts, and gives back what the simulation believes."""
    restarts = installs = 0
    for seed in range(SEEDS_MAX):
        simulation, disks = mirrored(seed, tmp_path / str(seed))
        simulation.run()
        for disk in disks:
            restarts += disk.loads - 1
            installs += disk.installs
            disk.load()
            disk.db.close()
        if restarts >= RESTARTS_MIN and installs >= INSTALLS_MIN:
            return
    raise AssertionError(f"{SEEDS_MAX} storms with only {restarts} restarts and {installs} installed snapshots")
