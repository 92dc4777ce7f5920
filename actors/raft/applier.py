"""From committed entries to answers: the state machine, and who waits for what.

What lives here: the apply loop's bounded step, the table of proposals that wait for their entry, and the reads that
wait for their index.  What does not: which entries are committed (the core says) and how answers travel (the actor
does).  It is pure: no clock, no I/O.

Rules:
1. Whoever proposed waits under (index, term).  If another term's entry is applied at that index, the proposal is
   certainly lost and may be tried again; if a snapshot jumps over the index, or this server proposes something else
   there as leader of a later term, its outcome is unknown.
2. An exception of the state machine is an answer (``failed``), the same on every server, never a crash: an entry that
   cannot be applied would otherwise stop every server for ever (docs/design.md, row 18).
"""

import heapq
import logging
from collections import deque
from collections.abc import Sequence

from actors.raft.entries import ForeignEntryError, decode_commands, time_of
from storage.log_table import Entry
from storage.state_machine import StateMachine, Timed, fault_of

_log = logging.getLogger("quorate.raft")

Answer = tuple[int, str, bytes]
"""(the gateway's key, code, result)."""

Query = tuple[int, bytes]
"""(the gateway's key, query)."""

_Waiting = tuple[int, int, Query, bytes]
"""A read: (the index it waits for, how many came before it, the query, what its answer begins with)."""

NOT_APPLIED = "not_leader"
UNKNOWN = "outcome_unknown"


class Applier:
    """One server's state machine and everything that waits for it.  ``answers`` is what came out."""

    def __init__(self, machine: StateMachine) -> None:
        self._machine = machine
        self._timed = machine if isinstance(machine, Timed) else None
        self._pending: deque[tuple[int, int, Sequence[int]]] = deque()
        self._reads: list[_Waiting] = []
        self._reads_seen = 0
        self.applied = 0
        self.bytes_since_snapshot = 0
        self.answers: list[Answer] = []

    @property
    def machine(self) -> StateMachine:
        """The state machine itself, for a snapshot."""
        return self._machine

    @property
    def time_ms(self) -> int:
        """The log's time, as far as it is applied."""
        return 0 if self._timed is None else self._timed.time_ms

    @property
    def next_end_ms(self) -> int | None:
        """When, by the log's time, something in the state machine ends."""
        return None if self._timed is None else self._timed.next_end_ms

    def expect(self, index: int, term: int, keys: Sequence[int]) -> None:
        """The commands of these keys are the entry (index, term), in order."""
        # This server's log has another entry there now.  Who still has the first one may yet become leader and commit
        # it (Raft, figure 8): only what is applied at the index tells.
        while self._pending and self._pending[-1][0] >= index:
            self._resolve(self._pending.pop()[2], UNKNOWN)
        self._pending.append((index, term, keys))

    def replace(self, machine: StateMachine, index: int) -> None:
        """Go on with a state machine that was set to the snapshot at ``index``."""
        self._machine = machine
        self._timed = machine if isinstance(machine, Timed) else None
        while self._pending and self._pending[0][0] <= index:
            self._resolve(self._pending.popleft()[2], UNKNOWN)
        self.applied = index
        self.bytes_since_snapshot = 0
        self._answer_reads()

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply committed entries, in order."""
        for data, index, term in entries:
            keys = self._claim(index, term)
            self._advance(data)
            for position, command in enumerate(self._commands(data, index)):
                code, result = self._apply_one(command, index)
                if position < len(keys):
                    self.answers.append((keys[position], code, result))
            self.applied = index
            self.bytes_since_snapshot += len(data)
        if self._reads:
            self._answer_reads()

    def read_at(self, index: int, query: Query, word: bytes = b"") -> None:
        """Answer a query as soon as ``index`` is applied; the answer begins with ``word``."""
        if index <= self.applied:
            self.read_now(query, word)
        else:
            self._reads_seen += 1
            heapq.heappush(self._reads, (index, self._reads_seen, query, word))

    def read_now(self, query: Query, word: bytes = b"") -> None:
        """Answer a query from the state as it is."""
        key, body = query
        try:
            self.answers.append((key, "ok", word + self._machine.read(body)))
        except Exception as error:
            _log.exception("a query failed")
            self.answers.append((key, "failed", fault_of(error).encode()))

    def say(self, key: int, word: bytes) -> None:
        """Answer with a word alone."""
        self.answers.append((key, "ok", word))

    def refuse(self, keys: Sequence[int], code: str, why: bytes = b"") -> None:
        """Answer without applying anything."""
        self._resolve(keys, code, why)

    def take_answers(self) -> list[Answer]:
        """What came out since the last call."""
        answers, self.answers = self.answers, []
        return answers

    def _claim(self, index: int, term: int) -> Sequence[int]:
        if not self._pending or self._pending[0][0] > index:
            return ()
        _, expected, keys = self._pending.popleft()
        if expected == term:
            return keys
        self._resolve(keys, NOT_APPLIED)
        return ()

    def _advance(self, data: bytes) -> None:
        time_ms = time_of(data)
        if time_ms is not None and self._timed is not None and time_ms > self._timed.time_ms:
            self._timed.advance(time_ms)

    def _commands(self, data: bytes, index: int) -> list[bytes]:
        try:
            return decode_commands(data)
        except ForeignEntryError as error:
            _log.error("entry %d is skipped on every server: %s", index, error)
            return []

    def _apply_one(self, command: bytes, index: int) -> tuple[str, bytes]:
        try:
            return "ok", self._machine.apply(command)
        except Exception as error:
            _log.exception("a command of entry %d failed", index)
            return "failed", fault_of(error).encode()

    def _resolve(self, keys: Sequence[int], code: str, why: bytes = b"") -> None:
        self.answers.extend((key, code, why) for key in keys)

    def _answer_reads(self) -> None:
        while self._reads and self._reads[0][0] <= self.applied:
            self.read_now(*heapq.heappop(self._reads)[2:])
