"""The judge: sees everything that every server does and says what may never happen (invariants.py).

What lives here: what is said, and what is true of logs, terms and configurations after a turn.  What the state machines
did and what clients know is the ledger's (ledger.py).

The judge knows servers only as Witnessed, so it holds the raw engine to the same claims.  Those that Raft itself does
not make, about disks and about what never goes back, are for a strict judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from attrs import define, field

from actors.raft.configuration import Configuration
from actors.raft.entries import configuration_of, is_configuration
from actors.raft.messages import AppendReply, SnapshotReply, VoteReply, VoteRequest
from storage.log_table import Entry
from tests.simulation.disk import SimDisk
from tests.simulation.invariants import Invariant, violated
from tests.simulation.ledger import Ledger


@define
class Seen:
    """What was last seen of one incarnation of a server."""

    log: Sequence[Entry] = field(factory=list)
    term: int = 0
    commit: int = 0
    led: int = 0
    configuration_index: int = 0


class Witnessed(Protocol):
    """What the judge sees of a server that runs."""

    id: str
    seen: Seen

    @property
    def term(self) -> int:
        """Its current term."""

    @property
    def commit(self) -> int:
        """Its commit index."""

    @property
    def applied(self) -> int:
        """What its state machine has applied."""

    @property
    def leads(self) -> bool:
        """Whether it takes itself for the leader of its term."""

    @property
    def log(self) -> Sequence[Entry]:
        """Its log, which nobody changes any more; the first entry is the anchor."""

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""

    @property
    def configuration_index(self) -> int:
        """The index of the configuration in force."""


@define
class Judge:
    """Everything known of a run."""

    is_strict: bool = True
    ledger: Ledger = field(factory=Ledger)
    disks: dict[str, SimDisk] = field(factory=dict)
    leaders: dict[int, str] = field(factory=dict)
    entries: dict[tuple[int, int], tuple[bytes, int]] = field(factory=dict)
    """By index and term: the content, and the term of the entry before."""

    # --- what is said ---------------------------------------------------------------------------------------------

    def sent(self, server: Witnessed, peer: str, message: object) -> None:
        """A message leaves: whatever it promises is on disk by now."""
        if isinstance(message, VoteRequest) and message.pre:
            return
        state = self.disks[server.id].state
        term: int = getattr(message, "term")  # noqa: B009 - every message between servers has one
        if term > state.term:
            _unsaved(f"{server.id} speaks in term {term}, its disk knows {state.term}")
        if isinstance(message, VoteReply) and message.granted and not message.pre:
            if message.request_term > state.term:
                _unsaved(f"{server.id} votes in a term its disk does not know")
            if message.request_term == state.term and state.voted_for != peer:
                _unsaved(f"{server.id} votes for {peer}, which its disk does not know")
        if state.term != term:
            return
        if isinstance(message, VoteRequest):
            if state.voted_for != server.id:
                _unsaved(f"{server.id} stands, but its disk has another vote")
        elif isinstance(message, AppendReply) and message.success:
            self._check_acknowledgement(server, peer, message.match)
        elif isinstance(message, SnapshotReply) and message.installed:
            self._check_acknowledgement(server, peer, message.index)

    def _check_acknowledgement(self, server: Witnessed, peer: str, match: int) -> None:
        disk = self.disks[server.id]
        if match > disk.state.last_index:
            _unsaved(f"{server.id} acknowledges {match} to {peer}, its disk has {disk.state.last_index}")
        for index in range(max(match - 3, disk.state.anchor_index + 1), match + 1):
            if (index, disk.term_of(index)) not in self.entries:
                _unsaved(f"{server.id} acknowledges an entry that nobody wrote: {index}")

    def crashed(self, server_id: str, term: int) -> None:
        """A server is gone, and its disk knows this term: it never was in a later one, since it said nothing in it."""
        for led in [led for led, leader in self.leaders.items() if leader == server_id and led > term]:
            del self.leaders[led]
            for key in [key for key in self.entries if key[1] == led]:
                del self.entries[key]

    # --- what is true after a turn --------------------------------------------------------------------------------

    def turned(self, server: Witnessed) -> None:
        """Look at a server after a turn."""
        seen, term, commit, leads = server.seen, server.term, server.commit, server.leads
        log = server.log
        if self.is_strict:
            self._check_progress(server, term, commit, log[-1][1])
        self._compare_log(server, log, term)
        self._commit(server, log, commit)
        configuration_index = server.configuration_index
        if leads:
            leader = self.leaders.setdefault(term, server.id)
            if leader != server.id:
                violated(Invariant.ELECTION_SAFETY, f"{leader} and {server.id} lead term {term}")
            if seen.led != term:
                self._check_completeness(server, log)
            elif configuration_index > seen.configuration_index:
                self._check_change(server, log, commit, term)
        seen.term, seen.commit = term, commit
        seen.configuration_index = configuration_index
        seen.led = term if leads else 0

    def _check_progress(self, server: Witnessed, term: int, commit: int, last: int) -> None:
        seen = server.seen
        if term < seen.term:
            violated(Invariant.MONOTONIC, f"{server.id} went from term {seen.term} to {term}")
        if commit < seen.commit:
            violated(Invariant.MONOTONIC, f"{server.id}'s commit index went from {seen.commit} to {commit}")
        if commit > last:
            violated(Invariant.MONOTONIC, f"{server.id} has committed {commit} of a shorter log")
        if server.applied > commit:
            violated(Invariant.STATE_MACHINE_SAFETY, f"{server.id} has applied what is not committed")

    def _compare_log(self, server: Witnessed, log: Sequence[Entry], current: int) -> None:
        """Log matching: an (index, term) has one content and one predecessor, on every server."""
        old = server.seen.log
        position = len(log) - 1
        shift = log[0][1] - old[0][1] if old else 0
        has_changes = False
        while position > 0 and not (0 <= position + shift < len(old) and old[position + shift] is log[position]):
            data, index, term = log[position]
            before = log[position - 1][2]
            known = self.entries.setdefault((index, term), (data, before))
            if known[0] != data:
                violated(Invariant.LOG_MATCHING, f"entry {index} of term {term} has two contents")
            if known[1] != before:
                violated(Invariant.LOG_MATCHING, f"entry {index} of term {term} has two predecessors")
            if term > current:
                violated(Invariant.LOG_MATCHING, f"{server.id} has an entry of a term to come: {term}")
            has_changes |= is_configuration(data)
            position -= 1
        server.seen.log = log
        if has_changes or (old and log[-1][1] < old[-1][1]):
            self._check_configurations(server, log)

    def _commit(self, server: Witnessed, log: Sequence[Entry], commit: int) -> None:
        seen, base = server.seen, log[0][1]
        for entry in log[max(seen.commit + 1 - base, 1) : max(commit + 1 - base, 1)]:
            self.ledger.commit(server.id, entry)
        if self.is_strict and seen.led == server.term and server.leads and commit > seen.commit:
            term = log[commit - base][2]
            holders = [id_ for id_, disk in self.disks.items() if disk.holds(commit, term)]
            if not server.configuration.is_quorum(holders):
                _unsaved(f"{server.id} commits {commit}, on disk at {holders} only")
            if term != server.term:
                violated(
                    Invariant.LEADER_COMPLETENESS, f"{server.id} commits {commit} of the older term {term} by counting"
                )

    def _check_completeness(self, server: Witnessed, log: Sequence[Entry]) -> None:
        base = log[0][1]
        for index, entry in self.ledger.committed.items():
            if index < base:
                continue
            term = log[index - base][2] if index - base < len(log) else None
            if term != entry[2]:
                violated(
                    Invariant.LEADER_COMPLETENESS,
                    f"{server.id} leads term {server.term} without committed entry {index} of term {entry[2]}: {term}",
                )

    # --- configurations -------------------------------------------------------------------------------------------

    def _check_configurations(self, server: Witnessed, log: Sequence[Entry]) -> None:
        """At most one configuration of a log is not committed; each differs from the last by one voter."""
        changes = [entry for entry in log[1:] if is_configuration(entry[0])]
        open_ = [entry for entry in changes if self.ledger.committed.get(entry[1]) != entry]
        if len(open_) > 1:
            violated(Invariant.ONE_CHANGE, f"{server.id} has {len(open_)} changes that are not committed")
        configurations = [Configuration.decode(configuration_of(data)) for data, _, _ in changes]
        # A snapshot's own index stands for those before it.
        is_old = changes and server.configuration_index < changes[-1][1]
        if changes and (is_old or server.configuration != configurations[-1]):
            violated(Invariant.ONE_CHANGE, f"{server.id} does not use the configuration of entry {changes[-1][1]}")
        for before, after in pairwise(configurations):
            if len(before.voters ^ after.voters) > 1:
                violated(Invariant.ONE_CHANGE, f"{server.id}: two voters changed at once")

    def _check_change(self, server: Witnessed, log: Sequence[Entry], commit: int, term: int) -> None:
        """A leader changes the configuration only after the last change and an entry of its term are committed."""
        if server.seen.configuration_index > commit:
            violated(Invariant.ONE_CHANGE, f"{server.id} changed an uncommitted configuration")
        if server.id not in server.configuration.voters:
            violated(Invariant.ONE_CHANGE, f"{server.id} leads, and has taken its own vote away")
        if log[commit - log[0][1]][2] != term:
            violated(Invariant.ONE_CHANGE, f"{server.id} changed the configuration before it committed in its term")


def _unsaved(what: str) -> None:
    violated(Invariant.PERSIST_THEN_SPEAK, what)
