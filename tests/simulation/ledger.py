"""The ledger: what was committed and applied, and what clients have been told of it.

What lives here: one history for all servers, held against what each state machine does, entry by entry, and against
what clients know.  What does not: logs, terms and disks (judge.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from attrs import define, field

from actors.raft.entries import configuration_of, is_configuration, time_of
from storage.kv_protocol import Answered, Changed, KvResult, Leased, Page, decode_result
from storage.log_table import Entry
from storage.raft_messages import SnapshotSave
from tests.simulation.invariants import Invariant, violated
from tests.simulation.lease_book import LeaseBook

Effect = tuple[bytes, bytes]
"""A command that reached the application's state machine, or the end of a lease (ENDED), and its result."""

ENDED = "ended"
"""What the end of a lease is called where commands have their names; its argument is the lease."""

_CHANGED = b"\x92\xa7changed"
_OF_LEASES = b"\x92\xa5grant", b"\x92\xa5renew", b"\x92\xa6revoke"
"""How commands begin that may be alike although they were asked for one by one."""
_OF_HOLDERS = (*_OF_LEASES, b"\x92\xa5ended", b"\x94\xa3txn")


@define
class Ledger:
    """Everything that happened to the replicated state of a run."""

    committed: dict[int, Entry] = field(factory=dict)
    effects: dict[int, Sequence[Effect]] = field(factory=dict)
    """By index: what applying its entry did, on whichever server was first."""
    applied_at: dict[bytes, int] = field(factory=dict)
    """The index at which a command was applied; no two commands are alike, but those of leases."""
    revisions: dict[int, dict[str, bytes | None]] = field(factory=dict)
    """By revision of the key-value store: the keys it changed, a batch's all, with the values that it gave them; None:
    it removed them.
    """
    leases: LeaseBook = field(factory=LeaseBook)
    states: dict[int, int] = field(factory=dict)
    """By index: a checksum of the state there, as far as somebody made a snapshot."""
    acknowledged: set[bytes] = field(factory=set)
    rejected: set[bytes] = field(factory=set)
    """Commands whose clients were told that they are certainly not applied, nor will be."""
    floor: int = 0
    """The highest index that a client knows of: the next read may not be older."""

    # --- the log --------------------------------------------------------------------------------------------------

    def commit(self, server_id: str, entry: Entry) -> None:
        """A server takes an entry for committed."""
        known = self.committed.setdefault(entry[1], entry)
        if known is not entry and known != entry:
            violated(
                Invariant.STATE_MACHINE_SAFETY,
                f"{server_id} commits {_short(entry)}, and {_short(known)} was committed",
            )

    # --- state machines -------------------------------------------------------------------------------------------

    def applied(self, server_id: str, entry: Entry, effects: Sequence[Effect]) -> None:
        """A state machine has applied an entry: the same everywhere, and no command a second time."""
        self.commit(server_id, entry)
        index = entry[1]
        known = self.effects.get(index)
        if known is None:
            self.effects[index] = effects
            self.leases.advance(time_of(entry[0]))
            for command, result in effects:
                before = self.applied_at.setdefault(command, index)
                if before != index and not command.startswith(_OF_LEASES):
                    violated(Invariant.EXACTLY_ONCE, f"{command!r} of entry {index} was applied with entry {before}")
                if command.startswith(_OF_HOLDERS):
                    self._note_of_holder(command, decode_result(result))
                else:
                    self._note_revision(command, result)
                if command in self.rejected:
                    violated(Invariant.EXACTLY_ONCE, f"{command!r} is applied, and was said never to be")
            self.leases.settle()
        elif known != effects:
            violated(
                Invariant.STATE_MACHINE_SAFETY,
                f"entry {index} did {effects} on {server_id}, and {known} on whoever was first",
            )

    def _note_revision(self, command: bytes, result: bytes) -> None:
        if result.startswith(_CHANGED):
            changed = decode_result(result)
            assert isinstance(changed, Changed)
            name, *arguments = msgspec.msgpack.decode(command)
            place = 2 if name == "cas" else 1
            keys, values = arguments if name == "put_many" else ([arguments[0]], [arguments[place]])
            self._note_change(changed.revision, dict(zip(keys, values, strict=True)))

    def _note_of_holder(self, command: bytes, answer: KvResult) -> None:
        """What holders of locks do, whose transactions do nothing but put, and do nothing when a comparison fails."""
        name, *arguments = msgspec.msgpack.decode(command)
        match name, answer:
            case "grant", Leased():
                self.leases.granted(answer)
            case "renew", _:
                self.leases.renewed(arguments[0], answer)
            case "revoke", _:
                self.leases.revoked(arguments[0], answer)
            case "ended", Changed(revision):
                keys = self.leases.ended(arguments[0])
                if keys:
                    self._note_change(revision, dict.fromkeys(keys))
            case "txn", Answered(succeeded=True, revision=revision):
                self._note_change(revision, {key: value for _, key, value, _ in arguments[1]})
                for _, key, _, lease in arguments[1]:
                    if lease:
                        self.leases.put(key, lease)

    def _note_change(self, revision: int, changes: dict[str, bytes | None]) -> None:
        if revision in self.revisions:
            violated(Invariant.STATE_MACHINE_SAFETY, f"revision {revision} was given to {self.revisions[revision]} too")
        self.revisions[revision] = changes

    def snapshot(self, server_id: str, index: int, state: int) -> None:
        """A server has frozen or restored the state at an index."""
        if self.states.setdefault(index, state) != state:
            violated(Invariant.STATE_MACHINE_SAFETY, f"{server_id} has another state at {index} than who froze it")

    def restored(self, server_id: str, snapshot: SnapshotSave, state: int) -> None:
        """A snapshot is the state and the configuration at its index, and nothing else."""
        if snapshot.total and snapshot.index not in self.states:
            violated(Invariant.STATE_MACHINE_SAFETY, f"{server_id} restores {snapshot.index}, which nobody froze")
        if snapshot.total:
            self.snapshot(server_id, snapshot.index, state)
        changes = [e for i, e in self.committed.items() if i <= snapshot.index and is_configuration(e[0])]
        if changes and snapshot.configuration != configuration_of(max(changes, key=lambda entry: entry[1])[0]):
            violated(Invariant.ONE_CHANGE, f"the snapshot at {snapshot.index} has another configuration than the log")

    # --- clients --------------------------------------------------------------------------------------------------

    def acknowledge(self, command: bytes) -> None:
        """A client hears that its command is applied."""
        self.acknowledged.add(command)
        if command not in self.applied_at:
            violated(Invariant.NO_WRITE_LOST, f"{command!r} is acknowledged, and nobody has applied it")

    def reject(self, command: bytes) -> None:
        """A client hears that its command is not applied and never will be."""
        self.rejected.add(command)
        index = self.applied_at.get(command)
        if index is not None:
            violated(Invariant.EXACTLY_ONCE, f"{command!r} is said not to be applied, and was at {index}")

    def answered(self, server_id: str, applied: int, floor: int) -> None:
        """A linearizable read is answered from the state at ``applied``; ``floor`` was known when it began."""
        if applied < floor:
            violated(
                Invariant.LINEARIZABLE, f"{server_id} reads at {applied}, and {floor} was known when the read began"
            )
        self.floor = max(self.floor, applied)

    def found(self, key: str, value: bytes, revision: int) -> None:
        """A client has read this, from whatever past: it must have been so."""
        if self.revisions.get(revision, {}).get(key) != value:
            violated(
                Invariant.STATE_MACHINE_SAFETY,
                f"{key} = {value!r} was read at {revision}, which made {self.revisions.get(revision)}",
            )

    def listed(self, page: Page, prefix: str = "") -> None:
        """A client has listed all keys: they are what the changes up to the page's revision made, whole batches.

        prefix: of the keys that it has asked for.
        """
        made = self._keys_at(page.revision, prefix)
        seen = {item.key: (item.revision, item.value) for item in page.items}
        if seen != made:
            violated(Invariant.ATOMIC, f"at {page.revision} the keys were {made}, and {seen} was listed")

    def acquired(self, prefix: str, token: int, revision: int) -> None:
        """A holder hears that it has the lock, as things were at a revision: every older key of the queue is gone."""
        queue = sorted(made for made, _ in self._keys_at(revision, prefix).values())
        if queue[:1] != [token]:
            violated(Invariant.LOCKS, f"token {token} holds the lock at {revision}, and the queue is {queue}")

    def _keys_at(self, revision: int, prefix: str) -> dict[str, tuple[int, bytes | None]]:
        """What the changes up to a revision made: by key the revision of its last change, and its value."""
        changed: dict[str, tuple[int, bytes | None]] = {}
        for one in sorted(self.revisions):
            if one <= revision:
                changed |= {key: (one, value) for key, value in self.revisions[one].items()}
        return {key: last for key, last in changed.items() if last[1] is not None and key.startswith(prefix)}

    def final(self, applied: int) -> None:
        """At the end every server has applied this much: everything acknowledged is in it."""
        lost = sorted(command for command in self.acknowledged if self.applied_at[command] > applied)
        if lost:
            violated(Invariant.NO_WRITE_LOST, f"acknowledged, and lost: {lost[:5]}")


def _short(entry: Entry) -> str:
    return f"entry {entry[1]} of term {entry[2]}"
