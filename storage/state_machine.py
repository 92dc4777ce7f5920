"""What committed commands are applied to, as the raft actor sees it.

A state machine is pure: the same commands in the same order give the same state and the same results on every server,
so it asks for no time, no randomness and no file. Commands and results are bytes of its own making.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from transport.text import text_of

SNAPSHOT_CHUNK_BYTES_MAX = 256 << 10
_FAULT_CHARS_MAX = 500


class StateMachine(Protocol):
    """The contract. Nothing here is called by two threads at once."""

    def apply(self, command: bytes) -> bytes:
        """Carry out a committed command and return its result.

        Must not raise: an exception would hit every server at the same entry, for ever. An error is a result.
        """

    def read(self, query: bytes) -> bytes:
        """Answer a query without changing anything. Must not raise either."""

    def snapshot(self) -> Iterable[bytes]:
        """The whole state as of this call, in chunks of at most SNAPSHOT_CHUNK_BYTES_MAX bytes.

        The chunks are taken one by one, with commands applied in between: what they hold must not change by that. So a
        method that is itself a generator does not do, as its body only starts with the first chunk.
        """

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replace the whole state by that of a snapshot.

        Raises BadSnapshotError, with the state as before, when the chunks are not a snapshot.
        """


def fault_of(error: Exception) -> str:
    """What whoever asked is told when a method raised all the same: one line, with the exception's type and text."""
    return f"the state machine raised {text_of(error)[:_FAULT_CHARS_MAX]}"


@runtime_checkable
class Timed(Protocol):
    """What a state machine has besides, if something in it ends by time: the log's, as every server reads it."""

    time_ms: int
    """That of the last commands, a snapshot's included."""

    def advance(self, time_ms: int) -> None:
        """The commands that follow were proposed at this time of the log, which never goes back."""

    @property
    def next_end_ms(self) -> int | None:
        """When something ends next, None for nothing: an entry will come then, with commands or without."""
