"""raft.db against a model of it in memory, over random lives of a server: writes, snapshots, restarts, crashes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from storage.raft_db import RaftDb
from storage.raft_messages import HardState, RaftLoaded, SnapshotSave
from storage.snapshot_table import SnapshotSource, Staging
from tests.unit.storage.journals import content_of, entries, new_journal, turn

SOURCE = SnapshotSource("leader", 1000, 7, 100)


class JournalLife(RuleBasedStateMachine):
    """The model is a RaftLoaded that every rule changes by hand; the file must always load as just that."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quorate-journal-"))
        self.db = new_journal(self.folder)
        self.term, self.vote, self.cluster, self.commit = 0, "", "", 1
        self.anchor = (1, 0)
        self.log = entries(2, 1)
        self.snapshot: SnapshotSave | None = None
        self.staged: list[bytes] = []
        self.arrived: list[bytes] = []

    @property
    def last(self) -> int:
        return self.anchor[0] + len(self.log)

    def term_at(self, index: int) -> int:
        return self.anchor[1] if index == self.anchor[0] else self.log[index - self.anchor[0] - 1][2]

    def save(self, index: int, keep_from: int, chunks: list[bytes], discard_log: bool) -> SnapshotSave:
        """The snapshot to write; afterwards the model has it too."""
        made = SnapshotSave(
            index=index,
            term=self.term_at(index) if index <= self.last else self.term,
            configuration=b"of %d" % index,
            keep_from=keep_from,
            keep_from_term=self.term_at(keep_from) if keep_from <= self.last else self.term,
            chunks=chunks,
            discard_log=discard_log,
        )
        self.staged = []
        if index >= SOURCE.index:
            self.arrived = []
        return made

    @rule(up=st.integers(0, 2), vote=st.sampled_from(["a", "b"]), cluster=st.booleans())
    def promise(self, up: int, vote: str, cluster: bool) -> None:
        if up or not self.vote:
            self.term, self.vote = self.term + up, vote
        self.cluster = self.cluster or ("c" if cluster else "")
        self.db.write(turn(hard_state=HardState(self.term, self.vote or None), cluster_id=self.cluster or None))

    @rule(count=st.integers(1, 40), size=st.sampled_from([0, 20, 300, 5000]), commit=st.integers(0, 60))
    def append(self, count: int, size: int, commit: int) -> None:
        added = entries(self.last + 1, self.last + count, self.term, size)
        self.log += added
        self.commit = max(self.commit, min(commit, self.last))
        self.db.write(turn(append=added, commit=commit))

    @precondition(lambda self: self.last > self.commit)
    @rule(data=st.data(), count=st.integers(0, 3))
    def replace_tail(self, data: st.DataObject, count: int) -> None:
        start = data.draw(st.integers(self.commit + 1, self.last))
        del self.log[start - self.anchor[0] - 1 :]
        added = entries(start, start + count - 1, self.term, 33)
        self.log += added
        self.db.write(turn(truncate_from=start, append=added))

    @rule(chunk=st.binary(max_size=300))
    def stage(self, chunk: bytes) -> None:
        self.db.stage(len(self.staged), chunk)
        self.staged.append(chunk)

    @rule(chunk=st.binary(max_size=300), anew=st.booleans())
    def arrive(self, chunk: bytes, anew: bool) -> None:
        if anew:
            self.arrived = []
        self.db.write(turn(stage=[(len(self.arrived), chunk)], source=SOURCE))
        self.arrived.append(chunk)

    @precondition(lambda self: self.arrived)
    @rule(ahead=st.integers(1, 50))
    def install_what_arrived(self, ahead: int) -> None:
        index, chunks = self.last + ahead, self.arrived
        write = self.save(index, index, chunks=chunks, discard_log=True)
        self.arrived = []
        self.log, self.anchor, self.snapshot, self.commit = [], (index, self.term), write, index
        self.db.write(turn(snapshot=replace(write, chunks=[], staged=len(chunks), received=True)))

    @precondition(lambda self: self.commit > (self.snapshot.index if self.snapshot else 1))
    @rule(data=st.data())
    def save_own_snapshot(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(self.snapshot.index if self.snapshot else 2, self.commit))
        keep_from = data.draw(st.integers(self.anchor[0], index))
        count, is_staged = data.draw(st.tuples(st.integers(0, 9), st.booleans()))
        chunks = self.staged or [b"%d" % index] * count
        write = self.save(index, keep_from, chunks=chunks, discard_log=False)
        if chunks and is_staged:
            for number, chunk in enumerate(chunks):
                self.db.stage(number, chunk)
            self.db.write(turn(snapshot=replace(write, chunks=[], staged=len(chunks))))
        else:
            self.db.write(turn(snapshot=write))
        self.log = self.log[keep_from - self.anchor[0] :]
        self.anchor, self.snapshot = (keep_from, write.keep_from_term), write

    @rule(ahead=st.integers(1, 50), count=st.integers(0, 3))
    def install_leaders_snapshot(self, ahead: int, count: int) -> None:
        index = self.last + ahead
        write = self.save(index, index, chunks=[b"leader's"], discard_log=True)
        self.log, self.anchor, self.snapshot, self.commit = [], (index, self.term), write, index
        added = entries(index + 1, index + count, self.term)
        self.log += added
        self.db.write(turn(snapshot=write, append=added))

    @rule()
    def restart(self) -> None:
        self.db.close()
        self.db, self.staged = RaftDb(self.folder / "raft.db"), []

    @rule()
    def crash(self) -> None:
        """What the files are at this moment is what the next process finds."""
        left = self.folder.with_name(self.folder.name + "-left")
        shutil.copytree(self.folder, left)
        self.db.close()
        shutil.rmtree(self.folder)
        left.rename(self.folder)
        self.db, self.staged = RaftDb(self.folder / "raft.db"), []

    @invariant()
    def the_file_is_as_the_model(self) -> None:
        content = content_of(self.db)
        assert replace(content, arriving=replace(content.arriving, series=0)) == RaftLoaded(
            hard_state=HardState(self.term, self.vote or None),
            cluster_id=self.cluster,
            anchor_index=self.anchor[0],
            anchor_term=self.anchor[1],
            entries=self.log,
            commit=self.commit,
            snapshot=self.expected_snapshot(),
            arriving=self.expected_staging(),
        )

    def expected_snapshot(self) -> SnapshotSave | None:
        if self.snapshot is None:
            return None
        return replace(self.snapshot, keep_from=self.anchor[0], keep_from_term=self.anchor[1], discard_log=False)

    def expected_staging(self) -> Staging:
        return Staging(0, len(self.arrived), sum(map(len, self.arrived)), SOURCE) if self.arrived else Staging()

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()
            shutil.rmtree(self.folder)


JournalLife.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestJournalLife = JournalLife.TestCase
