"""The judge: sees everything that every server does and says what may never happen.

The claims are those of the Raft paper (figure 3) and of DESIGN §5 and §6: election safety, log matching, leader
completeness, state machine safety; what is said is on disk; what is acknowledged is kept, by a majority; a read sees
everything that was acknowledged or read before it began; one change of the configuration at a time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import define, field

from actors.raft.configuration import Configuration
from actors.raft.entries import configuration_of, decode_commands, is_configuration
from actors.raft.messages import AppendReply, SnapshotReply, VoteReply, VoteRequest
from storage.log_table import Entry
from storage.raft_db import SnapshotSave

if TYPE_CHECKING:
    from tests.simulation.disk import SimDisk
    from tests.simulation.server import SimServer

FIRST_INDEX = 1


class Violation(AssertionError):  # noqa: N818 - what it is
    """Something that may never happen has happened."""


def require(holds: bool, claim: str) -> None:
    """Raise Violation unless the claim holds."""
    if not holds:
        raise Violation(claim)


@define
class Seen:
    """What was last seen of one incarnation of a server."""

    log: list[Entry] = field(factory=list)
    term: int = 0
    commit: int = 0
    led: int = 0
    configuration_index: int = 0


@define
class Judge:
    """Everything known of a run.

    ``values[:lengths[i]]`` is what the state machine holds at index FIRST_INDEX + i.
    """

    disks: dict[str, SimDisk] = field(factory=dict)
    leaders: dict[int, str] = field(factory=dict)
    entries: dict[tuple[int, int], tuple[bytes, int]] = field(factory=dict)
    committed: dict[int, Entry] = field(factory=dict)
    values: list[bytes] = field(factory=list)
    lengths: list[int] = field(factory=lambda: [0])
    acknowledged: set[bytes] = field(factory=set)
    rejected: set[bytes] = field(factory=set)
    floor: int = 0
    """The highest index that a client knows of: the next read may not be older."""

    # --- what is said ---------------------------------------------------------------------------------------------

    def sent(self, server: SimServer, peer: str, message: object) -> None:
        """A message leaves: whatever it promises is on disk by now."""
        disk = server.disk
        if isinstance(message, VoteRequest) and message.pre:
            return
        term: int = getattr(message, "term")  # noqa: B009 - every message between servers has one
        require(term <= disk.state.term, f"{server.id} speaks in term {term}, its disk knows {disk.state.term}")
        if isinstance(message, VoteReply) and message.granted and not message.pre:
            require(message.request_term <= disk.state.term, f"{server.id} votes in a term its disk does not know")
            if message.request_term == disk.state.term:
                require(disk.state.voted_for == peer, f"{server.id} votes for {peer}, which its disk does not know")
        if disk.state.term != term:
            return
        if isinstance(message, VoteRequest):
            require(disk.state.voted_for == server.id, f"{server.id} stands, but its disk has another vote")
        elif isinstance(message, AppendReply) and message.success:
            self._check_acknowledgement(server, peer, message.match)
        elif isinstance(message, SnapshotReply) and message.installed:
            self._check_acknowledgement(server, peer, message.index)

    def _check_acknowledgement(self, server: SimServer, peer: str, match: int) -> None:
        disk = server.disk
        last = disk.state.last_index
        require(match <= last, f"{server.id} acknowledges {match} to {peer}, its disk has {last}")
        for index in range(max(match - 3, disk.state.anchor_index + 1), match + 1):
            term = disk.term_of(index)
            require((index, term) in self.entries, f"{server.id} acknowledges an entry that nobody wrote: {index}")

    def crashed(self, server: SimServer) -> None:
        """A server is gone: terms that its disk does not know have never been, since nothing was said in them."""
        term = server.disk.state.term
        for led in [led for led, leader in self.leaders.items() if leader == server.id and led > term]:
            del self.leaders[led]
            for key in [key for key in self.entries if key[1] == led]:
                del self.entries[key]

    # --- what is true after a turn --------------------------------------------------------------------------------

    def turned(self, server: SimServer) -> None:
        """Look at a server after a turn."""
        state, seen = server.core.state, server.seen
        engine, journal = state.engine, state.journal
        require(engine.term >= seen.term, f"{server.id} went from term {seen.term} to {engine.term}")
        require(engine.commit >= seen.commit, f"{server.id}'s commit index went from {seen.commit} to {engine.commit}")
        require(engine.commit <= journal.last_index, f"{server.id} has committed {engine.commit} of a shorter log")
        require(server.core.applied_index <= engine.commit, f"{server.id} has applied what is not committed")
        new = self._compare_log(server)
        self._commit(server)
        if engine.is_leader:
            leader = self.leaders.setdefault(engine.term, server.id)
            require(leader == server.id, f"{leader} and {server.id} lead term {engine.term}")
            if seen.led != engine.term:
                self._check_completeness(server)
        if any(is_configuration(data) for data, _, _ in new):
            self._check_configurations(server)
        if engine.is_leader and seen.led == engine.term:
            self._check_change(server)
        seen.term, seen.commit = engine.term, engine.commit
        seen.configuration_index = state.configurations.latest_index
        seen.led = engine.term if engine.is_leader else 0

    def _compare_log(self, server: SimServer) -> list[Entry]:
        """Log matching: an (index, term) has one content and one predecessor, on every server."""
        journal, old = server.core.state.journal, server.seen.log
        log = journal[:]
        position = len(log) - 1
        shift = log[0][1] - old[0][1] if old else 0
        while position > 0 and not (0 <= position + shift < len(old) and old[position + shift] is log[position]):
            data, index, term = log[position]
            known = self.entries.setdefault((index, term), (data, log[position - 1][2]))
            require(known[0] == data, f"entry {index} of term {term} has two contents")
            require(known[1] == log[position - 1][2], f"entry {index} of term {term} has two predecessors")
            require(term <= server.core.state.engine.term, f"{server.id} has an entry of a term to come: {term}")
            position -= 1
        server.seen.log = log
        return log[position + 1 :]

    def _commit(self, server: SimServer) -> None:
        state, seen = server.core.state, server.seen
        for entry in state.journal.entries(seen.commit + 1, state.engine.commit):
            known = self.committed.setdefault(entry[1], entry)
            require(known == entry, f"{server.id} commits {_short(entry)}, and {_short(known)} was committed")
        if seen.led == state.engine.term and state.engine.is_leader and state.engine.commit > seen.commit:
            index = state.engine.commit
            term = state.journal.term_at(index)
            holders = [id_ for id_, disk in self.disks.items() if disk.holds(index, term)]
            require(state.configuration.is_quorum(holders), f"{server.id} commits {index}, on disk at {holders} only")
            require(term == state.engine.term, f"{server.id} commits {index} of term {term} by counting")

    def _check_completeness(self, server: SimServer) -> None:
        journal = server.core.state.journal
        for index, entry in self.committed.items():
            if index > journal.anchor_index:
                term = journal.term_at(index)
                require(term == entry[2], f"{server.id} leads without committed {_short(entry)}: {term}")
        anchor = self.committed.get(journal.anchor_index)
        if anchor is not None:
            require(anchor[2] == journal.anchor_term, f"{server.id}'s anchor is not the committed {_short(anchor)}")

    # --- configurations -------------------------------------------------------------------------------------------

    def _check_configurations(self, server: SimServer) -> None:
        """One change at a time: at most one configuration of a log is not committed; each differs from the last by
        one server."""
        journal = server.core.state.journal
        changes = [e for e in journal.entries(journal.anchor_index + 1, journal.last_index) if is_configuration(e[0])]
        open_ = [e for e in changes if self.committed.get(e[1]) != e]
        require(len(open_) <= 1, f"{server.id} has {len(open_)} changes of the configuration that are not committed")
        configurations = [Configuration.decode(configuration_of(data)) for data, _, _ in changes]
        for before, after in pairwise(configurations):
            require(len(before.voters ^ after.voters) <= 1, f"{server.id}: two voters changed at once")

    def _check_change(self, server: SimServer) -> None:
        """A leader changes the configuration only after the last change and an entry of its term are committed."""
        state, seen = server.core.state, server.seen
        if state.configurations.latest_index <= seen.configuration_index:
            return
        commit = state.engine.commit
        require(seen.configuration_index <= commit, f"{server.id} changed an uncommitted configuration")
        term = state.journal.term_at(commit)
        require(term == state.engine.term, f"{server.id} changed the configuration before it committed in its term")

    # --- the state machine ----------------------------------------------------------------------------------------

    def applied(self, server: SimServer, entry: Entry) -> None:
        """State machine safety: the same command at the same index, everywhere."""
        known = self.committed.setdefault(entry[1], entry)
        require(known == entry, f"{server.id} applies {_short(entry)}, committed is {_short(known)}")
        if entry[1] == FIRST_INDEX + len(self.lengths):
            self.values.extend(decode_commands(entry[0]))
            self.lengths.append(len(self.values))
        expected = self.lengths[entry[1] - FIRST_INDEX]
        require(len(server.values) == expected, f"{server.id} has {len(server.values)} values at {entry[1]}")

    def restored(self, server: SimServer, snapshot: SnapshotSave) -> None:
        """A snapshot is the state and the configuration at its index, and nothing else."""
        position = snapshot.index - FIRST_INDEX
        require(position < len(self.lengths), f"a snapshot of what nobody applied: {snapshot.index}")
        expected = self.values[: self.lengths[position]]
        require(server.values == expected, f"{server.id} restored another state than that of {snapshot.index}")
        changes = [e for i, e in self.committed.items() if i <= snapshot.index and is_configuration(e[0])]
        if changes:
            latest = configuration_of(max(changes, key=lambda e: e[1])[0])
            require(snapshot.configuration == latest, f"the snapshot at {snapshot.index} has another configuration")

    # --- clients --------------------------------------------------------------------------------------------------

    def acknowledge(self, value: bytes, index: int) -> None:
        """A client hears that its command is applied."""
        self.acknowledged.add(value)
        self.floor = max(self.floor, index)

    def answered(self, server: SimServer, index: int, floor: int) -> None:
        """A read is answered from the state at ``applied_index``."""
        require(index >= floor, f"{server.id} reads at {index}, and {floor} was known when the read began")
        self.floor = max(self.floor, server.core.applied_index)

    def final(self, values: list[bytes]) -> None:
        """At the end everything acknowledged is there, once, and nothing that was certainly lost."""
        present = set(values)
        require(len(present) == len(values), "a command was applied twice")
        lost = self.acknowledged - present
        require(not lost, f"acknowledged, and lost: {sorted(lost)[:5]}")
        back = self.rejected & present
        require(not back, f"said to be lost, and applied: {sorted(back)[:5]}")


def _short(entry: Entry) -> str:
    return f"entry {entry[1]} of term {entry[2]}"
