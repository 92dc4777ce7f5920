"""A client's side of its session: numbers for its commands, and which of them it still wants answers to.

What lives here: book-keeping alone.  What does not: sending (asks.py), and applying once (storage/sessions.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from transport.client.session_protocol import SEQUENCES_MAX, SessionCommands, encode_commands


class ClientSession:
    """One session, opened by the cluster under this id.  Sequences count from 1, and each is used for one command."""

    def __init__(self, session_id: bytes) -> None:
        self._id = session_id
        self._next = 1
        self._first_open = 1
        self._done: set[int] = set()

    @property
    def room(self) -> int:
        """How many new sequences the cluster would take now."""
        return SEQUENCES_MAX - (self._next - self._first_open)

    def claim(self, count: int) -> int:
        """Take sequences that follow each other; returns the first."""
        first = self._next
        self._next += count
        return first

    def finish(self, sequence: int) -> None:
        """Nobody waits for the answer to a sequence any more, and it is not sent again."""
        if sequence != self._first_open:
            self._done.add(sequence)
            return
        self._first_open += 1
        while self._done and self._first_open in self._done:
            self._done.remove(self._first_open)
            self._first_open += 1

    def payload(self, first: int, commands: Sequence[bytes]) -> bytes:
        """Commands with the sequences from `first` on, and with them the news of which answers have arrived."""
        return encode_commands(SessionCommands(self._id, self._first_open, first, list(commands)))
