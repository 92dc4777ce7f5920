"""One id belongs to one live server: what happens when a second process runs on a copy of its data directory.

Each of the two would object to what the other says of them both, for ever, and the address of the member would go back
and forth; and with one vote in two places and two disks behind it, no majority would be one. So as soon as one of them
has proof of the other, they tell each other how long they have been running. The younger one ends, and the older one
stays: that is the server which the others know, and the copy is the mistake. No clocks are compared, only durations.

The proof is a claim about this server from another address, of an incarnation that this run has not come to: whoever
made it has had this id since this run began. From an earlier run at another address there is none, for a server that
has moved begins above all that it ever said. A proof may also be old, or made by a directory that was put back from a
backup; then nobody is at that address, or it is the younger one, and nothing happens to this server.

What lives here: the challenge and its outcome. What does not: weighing such claims (own.py), and names (names.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.gossip.effects import End
from actors.gossip.messages import Twin
from actors.gossip.shared import WARNING

if TYPE_CHECKING:
    from actors.gossip.shared import Handlers, Shared, Source


class Twins:
    """This server's id, and whoever else has it."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._roster = shared.roster
        self._began = 0.0
        self.handlers: Handlers = {Twin: self._on_twin}

    def begin(self, now: float) -> None:
        """This run begins."""
        self._began = now

    def challenge(self, now: float, address: str) -> None:
        """Somebody at this address has this server's id, or had: find out which of the two is to go."""
        self._note(now, address)
        self._shared.send(address, Twin(now - self._began))

    def _on_twin(self, now: float, source: Source, twin: Twin) -> None:
        """A live process says that it has this server's id, and for how long it has been running."""
        own = self._roster.own
        if source.id != own.id or source.address == own.address:
            return
        ran_s = now - self._began
        if not twin.is_answer:
            self._shared.send(source.address, Twin(ran_s, is_answer=True))
        if twin.ran_s <= ran_s:
            self._note(now, source.address)
            return
        self._shared.out.append(
            End(
                f"the server {own.id} runs at {source.address} already, for {twin.ran_s:.0f} s, and the data directory "
                f"of {own.name} at {own.address} is a copy of its. Start the copy with an empty --data-dir"
            )
        )

    def _note(self, now: float, address: str) -> None:
        own = self._roster.own
        reason = (
            f"{address} has the same id {own.id} as {own.name} at {own.address}: one data directory is a copy of the "
            "other, and whichever was started later ends. Start the copy with an empty --data-dir"
        )
        self._shared.note_once(WARNING, reason)
        self._shared.turned_away.add(now, address, own.name, reason)
