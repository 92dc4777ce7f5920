"""The raft actor's half of *persist, then speak*: writes on their way to raft.db and their answers.

What lives here: the order of writes, and trying again when the disk refuses.  What does not: SQLite
(actors/persistence.py) and what a write makes true (actors/raft/journal.py).

The persistence actor does writes in order and refuses everything behind a failed one, so that no later write leaves a
gap.  What failed is kept and sent again; until it is done this server promises nothing (row 22).
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable

from actors.raft.journal import Write
from storage.raft_messages import RaftWrite, RaftWritten

RETRY_S = 0.25

_log = logging.getLogger("quorate.raft")


class Disk:
    """Writes of one incarnation of the raft actor.  ``tell`` hands a RaftWrite to the persistence actor."""

    def __init__(self, incarnation: int, tell: Callable[[RaftWrite], bool]) -> None:
        self._incarnation = incarnation
        self._tell = tell
        self._open: deque[RaftWrite] = deque()
        self._unstored_cluster_id: str | None = None
        self._sent = 0
        """The write that was sent last."""
        self._stuck_at = 0
        """The first write that was refused or did not reach the persistence actor; counts while there is an error."""
        self.error = ""
        """Why the disk takes nothing at present; "" when it does."""

    def store_cluster_id(self, cluster_id: str) -> None:
        """Keep the cluster id with the next write."""
        self._unstored_cluster_id = cluster_id

    def write(self, write: Write) -> None:
        """Send a write on its way."""
        message = RaftWrite(
            incarnation=self._incarnation,
            sequence=write.sequence,
            hard_state=write.hard_state,
            truncate_from=write.truncate_from,
            append=write.append,
            commit=write.commit,
            cluster_id=self._unstored_cluster_id,
            snapshot=write.snapshot,
            stage=write.stage,
            source=write.source,
        )
        self._unstored_cluster_id = None
        self._open.append(message)
        if not self.error:
            self._send(message)

    def on_written(self, answer: RaftWritten) -> int | None:
        """Take an answer; returns the sequence that is now on disk, or None."""
        if answer.incarnation != self._incarnation or not self._open:
            return None
        if answer.error:
            if not self.error or answer.sequence <= self._stuck_at:
                self._refused(answer.sequence, answer.error)
            return None
        if self.error and answer.sequence >= self._stuck_at:
            _log.info("raft.db takes writes again")
            self.error = ""
        while self._open and self._open[0].sequence <= answer.sequence:
            self._open.popleft()
        if self._open and self._open[-1].sequence > self._sent and not self.error:
            # They came while the disk took nothing, after everything before them had been tried again.
            self._send_all(message for message in self._open if message.sequence > self._sent)
        return answer.sequence

    def retry(self) -> None:
        """Try everything again that is not on disk."""
        if self.error:
            self._send_all(self._open)

    def _send_all(self, messages: Iterable[RaftWrite]) -> None:
        for message in messages:
            if not self._send(message):
                return

    def _send(self, message: RaftWrite) -> bool:
        sent = self._tell(message)
        if sent:
            self._sent = message.sequence
        else:
            self._refused(message.sequence, "the persistence actor's mailbox is full")
        return sent

    def _refused(self, sequence: int, error: str) -> None:
        if not self.error:
            _log.error("raft.db takes no writes: %s; trying again every %g s", error, RETRY_S)
        self._stuck_at, self.error = sequence, error
