"""Snapshots between servers: chunks out, chunks in.

What lives here: sending a snapshot to a peer that needs entries which are gone, and gathering one from the leader.
What does not: making one (the raft actor asks the state machine) and keeping it (raft.db).  The engine's own dumps,
pickled and installed unchecked, never happen (docs/design.md, rows 16 and 17).

Chunks pass through here and do not stay: the sender names those that are to go out (``due``) and the driver reads them
from disk, the receiver hands each on to the journal as it arrives.  Rules:

1. A chunk counts only in the current term, from its leader, with the right checksum.  An old one would do no harm to
   the log, since what a snapshot holds is committed; but it would interrupt the leader's own transfer, and its sender
   would take the answer for a follower's.
2. A chunk is asked for by number, and answered once those before it are on disk.  A receiver that was restarted goes on
   behind what is there, as long as it is the same snapshot of the same server.
3. A snapshot is installed whole, and only beyond the commit index; a tail of the log that matches it stays (Raft §7).
4. The sender keeps ``WINDOW_CHUNKS`` on their way, and starts again at the one wanted last when nothing moves.  A
   transfer stays with the snapshot it began with, also when there is a newer one: else a large state would never
   arrive anywhere.
5. Who is silent for ``ABANDON_AFTER_S`` is sent nothing more until it is heard again.
"""

import zlib

from attrs import define
from msgspec import Struct

from actors.raft.configuration import Configuration
from actors.raft.leader import Leader
from actors.raft.messages import SnapshotChunk, SnapshotReply
from actors.raft.state import RaftState
from storage.raft_messages import SnapshotSave
from storage.snapshot_table import SnapshotSource, Staging

WINDOW_CHUNKS = 4
AHEAD_CHUNKS_MAX = 16
"""Chunks that arrive before the one that is wanted are kept up to here."""
CHUNKS_MAX = 65_536
RESEND_AFTER_S = 2.0
ABANDON_AFTER_S = 30.0


class TransferProgress(Struct, frozen=True):
    """How far a snapshot has come on its way to a peer."""

    index: int
    chunks: int
    """Arrived, and on the peer's disk."""
    chunks_total: int
    bytes_total: int


@define
class _Outgoing:
    snapshot: SnapshotSave
    moved_at: float
    acked: int = 0
    sent: int = 0
    wanted: int = 0
    """What the peer asked for last: less than ``acked`` when it was restarted and has to begin anew."""


class SnapshotSender:
    """The leader's transfers, one a peer at most."""

    def __init__(self, state: RaftState, leader: Leader) -> None:
        self._state = state
        self._leader = leader
        self._outgoing: dict[str, _Outgoing] = {}
        self._due: list[tuple[str, SnapshotChunk]] = []

    @property
    def in_use(self) -> set[int]:
        """Indexes of the snapshots that are being sent."""
        return {outgoing.snapshot.index for outgoing in self._outgoing.values()}

    def take_due(self) -> list[tuple[str, SnapshotChunk]]:
        """Chunks to send, as (peer, chunk without its bytes); none before our term is on disk."""
        if not self._due or not self._state.journal.hard_state_is_durable:
            return []
        due, self._due = self._due, []
        return due

    def clear(self) -> None:
        """This server leads no longer."""
        self._outgoing.clear()
        self._due.clear()

    def flush(self) -> None:
        """Begin what is needed and resend what is stuck."""
        state = self._state
        for peer in self._leader.lagging_behind_log():
            if peer not in self._outgoing and state.snapshot is not None and self._is_heard(peer):
                self._outgoing[peer] = _Outgoing(state.snapshot, state.now)
                self._leader.progress[peer].has_snapshot_pending = True
                self._send_window(peer)
        for peer in list(self._outgoing) if self._outgoing else ():
            if peer not in self._leader.progress:
                self._abandon(peer)

    def tick(self) -> None:
        """Go back to the last wanted chunk of a transfer that does not move, or give it up."""
        for peer, outgoing in list(self._outgoing.items()):
            if not self._is_heard(peer):
                self._abandon(peer)
            elif self._state.now - outgoing.moved_at > RESEND_AFTER_S:
                outgoing.moved_at = self._state.now
                outgoing.sent = outgoing.acked = outgoing.wanted
                self._send_window(peer)

    def on_reply(self, peer: str, reply: SnapshotReply) -> None:
        """A peer says how far it has come."""
        outgoing = self._outgoing.get(peer)
        progress = self._leader.progress.get(peer)
        if outgoing is None or progress is None or reply.index != outgoing.snapshot.index:
            return
        progress.last_ack = self._state.now
        outgoing.wanted = reply.next_offset
        if reply.installed:
            del self._outgoing[peer]
            progress.has_snapshot_pending = False
            self._state.engine.acknowledge(peer, reply.index)
            self._state.engine.rewind(peer, reply.index + 1)
            progress.void()
            self._leader.appended()
        elif reply.next_offset > outgoing.acked:
            outgoing.acked = reply.next_offset
            outgoing.sent = max(outgoing.sent, outgoing.acked)
            outgoing.moved_at = self._state.now
            self._send_window(peer)

    def progress_of(self, peer: str) -> TransferProgress | None:
        """The transfer to this peer, None when there is none."""
        outgoing = self._outgoing.get(peer)
        if outgoing is None:
            return None
        snapshot = outgoing.snapshot
        return TransferProgress(snapshot.index, outgoing.acked, snapshot.total, snapshot.size)

    def _send_window(self, peer: str) -> None:
        outgoing = self._outgoing[peer]
        snapshot = outgoing.snapshot
        end = min(outgoing.acked + WINDOW_CHUNKS, snapshot.total)
        for offset in range(outgoing.sent, end):
            chunk = SnapshotChunk(
                term=self._state.engine.term,
                index=snapshot.index,
                snapshot_term=snapshot.term,
                configuration=snapshot.configuration,
                offset=offset,
                total=snapshot.total,
                crc=0,
                data=b"",
            )
            self._due.append((peer, chunk))
        outgoing.sent = max(outgoing.sent, end)

    def _abandon(self, peer: str) -> None:
        del self._outgoing[peer]
        progress = self._leader.progress.get(peer)
        if progress is not None:
            progress.has_snapshot_pending = False

    def _is_heard(self, peer: str) -> bool:
        progress = self._leader.progress.get(peer)
        return progress is not None and self._state.now - progress.last_ack < ABANDON_AFTER_S


class SnapshotReceiver:
    """The follower's gathering of one snapshot; ``arriving`` is what it finds of one on its disk."""

    def __init__(self, state: RaftState, arriving: Staging) -> None:
        self._state = state
        self._term = 0
        """In which a chunk was heard last."""
        self._source = arriving.source
        self._wanted = arriving.chunks if arriving.source else 0
        """Every chunk before this one is on disk, or on its way there."""
        self._size = arriving.size
        self._ahead: dict[int, bytes] = {}
        """Chunks that came before the one that is wanted."""

    def on_chunk(self, leader: str, chunk: SnapshotChunk) -> SnapshotSave | None:
        """Take a chunk and answer it; returns the snapshot once it is whole and installed, which is said when it is
        on disk."""
        state = self._state
        if chunk.index <= state.engine.commit:
            # All that it holds is committed here: our log equals the leader's up to its index.
            self._answer(leader, chunk, installed=True)
            return None
        if self._is_late(chunk) or not _is_sound(chunk):
            return None
        source = SnapshotSource(leader, chunk.index, chunk.snapshot_term, chunk.total)
        if source != self._source:
            self._begin(source)
        self._term = chunk.term
        self._take(chunk)
        if self._wanted < chunk.total:
            self._answer(leader, chunk, installed=False)
            return None
        snapshot = self._whole(chunk)
        self._begin(None)
        self._install(snapshot)
        state.outbox.promise(leader, SnapshotReply(chunk.term, chunk.index, 0, True))
        return snapshot

    def _whole(self, last: SnapshotChunk) -> SnapshotSave:
        """The snapshot whose chunks are all staged."""
        return SnapshotSave(
            index=last.index,
            term=last.snapshot_term,
            configuration=last.configuration,
            chunks=[],
            keep_from=last.index,
            keep_from_term=last.snapshot_term,
            discard_log=self._state.journal.term_at(last.index) != last.snapshot_term,
            staged=last.total,
            received=True,
            size=self._size,
        )

    @property
    def progress(self) -> dict[str, int] | None:
        """How far the snapshot has come that is arriving, None when there is none."""
        if self._source is None:
            return None
        return {"index": self._source.index, "chunks": self._wanted, "chunks_total": self._source.chunks}

    def overtaken(self, index: int) -> None:
        """A snapshot of this server's own is put in force; one of a later index goes on arriving."""
        if self._source is None or self._source.index <= index:
            self._begin(None)
            self._state.journal.unstage()

    def _is_late(self, chunk: SnapshotChunk) -> bool:
        """Whether it is of a snapshot that this term's leader sent before the one that is arriving."""
        return self._source is not None and chunk.term == self._term and chunk.index < self._source.index

    def _begin(self, source: SnapshotSource | None) -> None:
        self._source, self._ahead, self._wanted, self._size = source, {}, 0, 0

    def _take(self, chunk: SnapshotChunk) -> None:
        assert self._source is not None, "it has begun"
        if self._wanted <= chunk.offset < self._wanted + AHEAD_CHUNKS_MAX:
            self._ahead[chunk.offset] = chunk.data
        while self._wanted in self._ahead:
            data = self._ahead.pop(self._wanted)
            self._state.journal.stage(self._wanted, data, self._source)
            self._size += len(data)
            self._wanted += 1

    def _install(self, snapshot: SnapshotSave) -> None:
        state = self._state
        state.journal.install_snapshot(snapshot)
        state.configurations.restart(snapshot.index, Configuration.decode(snapshot.configuration))
        state.configurations.append(state.journal.entries(snapshot.index + 1, state.journal.last_index))
        state.snapshot = snapshot
        state.verified_index = max(state.verified_index, snapshot.index)
        state.engine.restart_at(snapshot.index)
        state.reconfigured()

    def _answer(self, leader: str, chunk: SnapshotChunk, *, installed: bool) -> None:
        reply = SnapshotReply(chunk.term, chunk.index, self._wanted, installed)
        self._state.outbox.promise(leader, reply)


def _is_sound(chunk: SnapshotChunk) -> bool:
    return 0 <= chunk.offset < chunk.total <= CHUNKS_MAX and zlib.crc32(chunk.data) == chunk.crc
