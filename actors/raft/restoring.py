"""Setting the state machine to a snapshot without stopping this server.

What lives here: a fresh state machine, filled in a thread of its own from chunks that are read one by one, which takes
the place of the old one when it is whole.  Until then the old one answers stale reads, nothing is applied, and links,
gossip and votes go on.  What does not: how chunks got on disk (actors/raft/snapshots.py, storage/snapshot_store.py).

The thread has the state machine to itself and shares nothing else; every chunk comes from the loop's thread.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator

from actors.runtime.actor import Context
from storage.raft_messages import SnapshotPiece, SnapshotRead, SnapshotSave
from storage.state_machine import StateMachine

READ_TIMEOUT_S = 60.0

_log = logging.getLogger("quorate.raft")


class _Replaced(Exception):  # noqa: N818 - no error: it ends one restore because another is due
    """A newer snapshot is in force, and the chunks of the one that is being restored are gone."""


class _BrokenOff(Exception):  # noqa: N818 - the same
    """The actor has ended, and its thread is to end too."""


class Restoring:
    """At most one restore under way.

    ``done(machine, index)`` is called with the state machine that is whole; ``replaced()`` instead when a newer
    snapshot arrived meanwhile, which is to be restored then.
    """

    def __init__(
        self,
        context: Context,
        machine: Callable[[], StateMachine],
        done: Callable[[StateMachine, int], None],
        replaced: Callable[[], None],
    ) -> None:
        self._context = context
        self._machine = machine
        self._done = done
        self._replaced = replaced
        self._has_ended = False
        self.is_under_way = False

    def begin(self, snapshot: SnapshotSave) -> None:
        """Start; a failure ends the actor, whose successor loads what is on disk then."""
        self.is_under_way = True
        self._context.spawn(self._restore(snapshot), name="restore")

    async def _restore(self, snapshot: SnapshotSave) -> None:
        machine = self._machine()
        loop = asyncio.get_running_loop()
        began = self._context.now()
        try:
            if snapshot.total:
                await loop.run_in_executor(None, machine.restore, self._chunks(snapshot, loop))
        except _Replaced:
            self.is_under_way = False
            _log.info("a newer snapshot came while that at index %d was restored", snapshot.index)
            self._replaced()
            return
        except BaseException:
            # The thread outlives a task that is cancelled, and must not go on to the end of a large snapshot.
            self._has_ended = True
            raise
        self.is_under_way = False
        _log.info("restored the snapshot at index %d in %.2f s", snapshot.index, self._context.now() - began)
        self._done(machine, snapshot.index)

    def _chunks(self, snapshot: SnapshotSave, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
        """In the thread: the chunks, each fetched by the loop when it is wanted."""
        for number in range(snapshot.total):
            if self._has_ended:
                raise _BrokenOff
            piece = asyncio.run_coroutine_threadsafe(self._read(SnapshotRead(snapshot.index, number)), loop).result()
            if piece is None:
                raise _Replaced
            yield piece

    async def _read(self, wanted: SnapshotRead) -> bytes | None:
        piece: SnapshotPiece = await self._context.ref("persistence").ask(wanted, timeout_s=READ_TIMEOUT_S)
        return piece.data
