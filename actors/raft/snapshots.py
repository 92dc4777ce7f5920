"""Snapshots between servers: chunks out, chunks in.

What lives here: sending a snapshot to a peer that needs entries which are gone, and gathering one from the leader.
What does not: making one (the raft actor asks the state machine) and keeping it (raft.db).  The engine's own dumps,
pickled and installed unchecked, never happen (DESIGN §6, rows 16 and 17).

Rules:
1. A chunk counts only in the current term, from its leader, with the right checksum.
2. A snapshot is installed whole, and only beyond the commit index; a tail of the log that matches it stays (Raft §7).
3. The sender keeps ``WINDOW_CHUNKS`` on their way, and starts again at the one wanted last when nothing moves: a lost
   chunk, or a receiver that was restarted and wants the first one again.
"""

import zlib

from attrs import define, field

from actors.raft.leader import Leader
from actors.raft.messages import SnapshotChunk, SnapshotReply
from actors.raft.state import RaftState
from storage.raft_db import SnapshotSave

WINDOW_CHUNKS = 4
CHUNKS_MAX = 65_536
RESEND_AFTER_S = 2.0


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

    def clear(self) -> None:
        """This server leads no longer."""
        self._outgoing.clear()

    def flush(self) -> None:
        """Begin what is needed and resend what is stuck."""
        state = self._state
        for peer in self._leader.lagging_behind_log():
            if peer not in self._outgoing and state.snapshot is not None:
                self._outgoing[peer] = _Outgoing(state.snapshot, state.now)
                self._leader.progress[peer].has_snapshot_pending = True
                self._send_window(peer)
        for peer in list(self._outgoing):
            if peer not in self._leader.progress:
                del self._outgoing[peer]

    def tick(self) -> None:
        """Go back to the last wanted chunk of a transfer that does not move."""
        for peer, outgoing in self._outgoing.items():
            if self._state.now - outgoing.moved_at > RESEND_AFTER_S:
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

    def progress_of(self, peer: str) -> tuple[int, int] | None:
        """(chunks arrived, chunks in all) of a transfer to this peer."""
        outgoing = self._outgoing.get(peer)
        return (outgoing.acked, len(outgoing.snapshot.chunks)) if outgoing else None

    def _send_window(self, peer: str) -> None:
        outgoing = self._outgoing[peer]
        snapshot = outgoing.snapshot
        end = min(outgoing.acked + WINDOW_CHUNKS, len(snapshot.chunks))
        for offset in range(outgoing.sent, end):
            data = snapshot.chunks[offset]
            chunk = SnapshotChunk(
                term=self._state.engine.term,
                index=snapshot.index,
                snapshot_term=snapshot.term,
                configuration=snapshot.configuration,
                offset=offset,
                total=len(snapshot.chunks),
                crc=zlib.crc32(data),
                data=data,
            )
            self._state.outbox.send(peer, chunk)
        outgoing.sent = max(outgoing.sent, end)


@define
class SnapshotReceiver:
    """The follower's gathering of one snapshot."""

    _state: RaftState
    _source: tuple[int, int, int] = (0, 0, 0)
    """Term of the leader, index of the snapshot, number of chunks."""
    _chunks: dict[int, bytes] = field(factory=dict)
    _wanted: int = 0

    def on_chunk(self, leader: str, chunk: SnapshotChunk) -> SnapshotSave | None:
        """Take a chunk and answer it; returns the snapshot to install once it is whole."""
        state = self._state
        if chunk.index <= state.engine.commit:
            # All that it holds is committed here: our log equals the leader's up to its index.
            self._answer(leader, chunk, installed=True)
            return None
        # Two servers cut the same state into other chunks, so those of two leaders never mix.
        source = (chunk.term, chunk.index, chunk.total)
        if source < self._source or not _is_sound(chunk):
            return None
        if source != self._source:
            self._begin(source)
        self._chunks[chunk.offset] = chunk.data
        while self._wanted in self._chunks:
            self._wanted += 1
        if self._wanted < chunk.total:
            self._answer(leader, chunk, installed=False)
            return None
        chunks = [self._chunks[offset] for offset in range(chunk.total)]
        self._begin((0, 0, 0))
        return SnapshotSave(
            index=chunk.index,
            term=chunk.snapshot_term,
            configuration=chunk.configuration,
            chunks=chunks,
            keep_from=chunk.index,
            keep_from_term=chunk.snapshot_term,
            discard_log=state.journal.term_at(chunk.index) != chunk.snapshot_term,
        )

    def _begin(self, source: tuple[int, int, int]) -> None:
        self._source, self._chunks, self._wanted = source, {}, 0

    def installed(self, leader: str, term: int, index: int) -> None:
        """Say so once it is on disk."""
        self._state.outbox.promise(leader, SnapshotReply(term, index, 0, True))

    def _answer(self, leader: str, chunk: SnapshotChunk, *, installed: bool) -> None:
        reply = SnapshotReply(chunk.term, chunk.index, self._wanted, installed)
        self._state.outbox.promise(leader, reply)


def _is_sound(chunk: SnapshotChunk) -> bool:
    return 0 <= chunk.offset < chunk.total <= CHUNKS_MAX and zlib.crc32(chunk.data) == chunk.crc
