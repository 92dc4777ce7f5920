"""The mail of one actor: its mailbox, and what was taken out of it but not handed over yet.

What lives here: the order in which mail is handed over.  A message that crashed its handler and is to be handed over
once more comes first; then the control lane, then the data lane.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from transport.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zmq import SyncContext

    from actors.runtime.limits import SystemLimits


class Inbox:
    """Mail waiting for one actor; it outlives the actor's incarnations."""

    def __init__(self, zmq_context: SyncContext, name: str, limits: SystemLimits) -> None:
        self._mailbox = Mailbox(zmq_context, name, limit=limits.mailbox_frames, control_limit=limits.control_frames)
        self.put = self._mailbox.put
        self._drain = self._mailbox.drain
        self._drain_frames = limits.drain_frames
        self._suspects: deque[bytes] = deque()
        self._backlog: deque[bytes] = deque()

    def __len__(self) -> int:
        return self._mailbox.depth + len(self._backlog) + len(self._suspects)

    def take(self) -> tuple[bytes, bool] | None:
        """The next frame and whether it crashed its handler before; None when there is no mail."""
        if self._suspects:
            return self._suspects.popleft(), True
        if not self._backlog:
            # Small batches, so that a control frame waits for few data frames.
            self._backlog.extend(self._drain(self._drain_frames))
            if not self._backlog:
                return None
        return self._backlog.popleft(), False

    def put_back(self, frame: bytes) -> None:
        """Hand this frame over once more, before everything else."""
        self._suspects.append(frame)

    def empty(self) -> Iterator[bytes]:
        """Take everything out."""
        while taken := self.take():
            yield taken[0]

    def close(self) -> None:
        """Close the mailbox; what still waits is gone."""
        self._mailbox.close()

    def stats(self) -> dict[str, Any]:
        """The mailbox's counts, with what was taken out of it and still waits counted as waiting."""
        return self._mailbox.stats() | {"depth": len(self)}
