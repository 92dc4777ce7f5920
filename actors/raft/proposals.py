"""What clients propose, on its way into the log.

What lives here: what is gathered until the turn takes it, how it is cut into entries, and what is not taken now.  What
does not: whether it may be proposed again (actors/gateway), and what an entry is (entries.py).

A leader proposes something of its own too, an entry without commands: when something in the state machine ends by time,
it is an entry that says how late it is (log_clock.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.raft.entries import WRAPPED_BYTES_MAX, batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.raft.applier import Applier
    from actors.raft.core import RaftCore
    from actors.raft.disk import Disk
    from actors.raft.log_clock import LogClock


class Proposals:
    """Those of one incarnation of the raft actor.  ``now`` tells the time, in seconds of the core's clock."""

    def __init__(
        self, core: RaftCore, applier: Applier, disk: Disk, log_clock: LogClock, now: Callable[[], float]
    ) -> None:
        self.waiting: list[tuple[int, bytes]] = []
        """The gateway's key and the command of each that no turn has taken yet."""
        self._core = core
        self._applier = applier
        self._disk = disk
        self._log_clock = log_clock
        self._now = now

    def propose(self) -> None:
        """Have what waits appended, or refuse it; each is answered by its key once it is known what became of it."""
        if self._log_clock.is_end_due(self._now()) and not self._why_not():
            self._core.propose(self._now(), self._log_clock.entry(self._now(), []))
        if not self.waiting:
            return
        proposals, self.waiting = self.waiting, []
        code = self._why_not()
        if code:
            self._applier.refuse([key for key, _ in proposals], code)
            return
        too_large = [key for key, command in proposals if len(command) > WRAPPED_BYTES_MAX]
        if too_large:
            self._applier.refuse(too_large, "too_large")
            proposals = [item for item in proposals if len(item[1]) <= WRAPPED_BYTES_MAX]
        for batch in batches(proposals):
            entry = self._log_clock.entry(self._now(), [command for _, command in batch])
            appended = self._core.propose(self._now(), entry)
            keys = [key for key, _ in batch]
            if appended is None:
                self._applier.refuse(keys, "overloaded")
            else:
                self._applier.expect(*appended, keys)

    def _why_not(self) -> str:
        core = self._core
        if not core.state.engine.is_leader or core.handover.is_under_way:
            return "not_leader"
        is_ready = core.takes_proposals and not self._disk.error and self._log_clock.is_known
        return "" if is_ready else "overloaded"
