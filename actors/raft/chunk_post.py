"""Chunks of snapshots on their way from this server's disk to its peers.

What lives here: reading what the core wants to send (``RaftCore.take_chunks``) from raft.db, chunk by chunk, and having
raft.db keep what is being sent.  What does not: which chunk is due, and what to do when none arrives (snapshots.py).
"""

from collections.abc import Callable
from contextlib import suppress
from zlib import crc32

from msgspec.structs import replace

from actors.raft.core import RaftCore
from actors.raft.messages import SnapshotChunk
from actors.runtime.actor import Context
from actors.runtime.asks import AskError
from storage.raft_messages import SnapshotHold, SnapshotPiece, SnapshotRead

READ_TIMEOUT_S = 10.0


class ChunkPost:
    """``send(peer, message)`` hands a message to the link."""

    def __init__(self, context: Context, core: RaftCore, send: Callable[[str, object], None]) -> None:
        self._context = context
        self._core = core
        self._send = send
        self._persistence = context.ref("persistence")
        self._held: set[int] = set()

    def hold(self) -> None:
        """To be called before a turn's write, which may replace a snapshot that is being sent."""
        in_use = self._core.sender.in_use
        if in_use != self._held:
            self._held = in_use
            self._persistence.tell(SnapshotHold(self._context.incarnation, sorted(in_use)))

    def send_due(self) -> None:
        """Send what is due, as it comes from the disk."""
        for peer, chunk in self._core.take_chunks():
            self._context.spawn(self._fetch(peer, chunk), name="chunk")

    async def _fetch(self, peer: str, chunk: SnapshotChunk) -> None:
        # A chunk that cannot be had now is due again soon.
        with suppress(AskError):
            wanted = SnapshotRead(chunk.index, chunk.offset)
            piece: SnapshotPiece = await self._persistence.ask(wanted, timeout_s=READ_TIMEOUT_S)
            if piece.data is not None:
                self._send(peer, replace(chunk, data=piece.data, crc=crc32(piece.data)))
