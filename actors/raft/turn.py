"""The turn of a Raft server: in which order the consequences of a batch of messages are drawn.

What lives here: the order alone, shared by the raft actor and the simulator's server, so that what is simulated is what
runs.  What does not: any of the steps.  *Persist, then speak* does not hang on the order: what waits for a write is not
among the messages of a turn (core.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from actors.raft.core import RaftCore
    from actors.raft.journal import Write


@define
class Turn:
    """One server's turns.  Each step is a call to whoever can do it.

    propose: have what clients asked for appended.  send: the core's messages that may leave.  hold: keep the snapshots
    that are being sent.  chunks: send what is due of them.  apply: some of what is committed.  answer: clients.
    """

    core: RaftCore
    propose: Callable[[], None]
    send: Callable[[], None]
    hold: Callable[[], None]
    write: Callable[[Write], None]
    chunks: Callable[[], None]
    apply: Callable[[], None]
    answer: Callable[[], None]
    applies_later: bool = False

    def take(self) -> None:
        """Draw the consequences."""
        self.propose()
        self.core.flush()
        # What waits for a write is not among them, so they need not wait for this turn's to be on its way.
        self.send()
        self.hold()
        write = self.core.take_write()
        if write is not None:
            self.write(write)
        self.chunks()
        # A follower writes first, since its leader waits for that; but it never puts applying off twice in a row.
        is_follower = not self.core.state.engine.is_leader
        self.applies_later = write is not None and is_follower and not self.applies_later
        if not self.applies_later:
            self.apply()
        self.answer()
