"""The log of changes that a history gives away: what was changed at which revision, and by whose write.

What lives here: putting together what writers and watchers were told, and where the two contradict. What does not:
what a watcher should have been told (watch_checker.py).

A write that was acknowledged gives its revision away. One of unknown outcome is found by what watchers were told: its
values are nobody else's. What nobody was told of is not in the log, and may have happened or not.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from tests.histories.promises import WatchPromise
from tests.histories.violation import Violation
from tests.histories.watch_history import Changes, Told, WatchHistory, Write
from tests.linearizability.operation import Operation, Outcome, Value

AUTHENTIC = WatchPromise.AUTHENTIC


@define(eq=False)
class Entry:
    """One revision. changes: all that is known to have happened; evidence: the operation that says so."""

    changes: dict[str, Value]
    evidence: Operation
    write: Write | None


class ChangeLog:
    """entries: by revision. revisions: those known, in order. violations: where writers and watchers contradict."""

    def __init__(self, known: WatchHistory) -> None:
        self.entries: dict[int, Entry] = {}
        self.violations: list[Violation] = []
        self._of_key: dict[str, list[int]] = {}
        self._by_change: dict[tuple[str, Value], list[Write]] = {}
        self._placed: dict[Write, int] = {}
        for write in known.writes:
            for change in write.changes.items():
                self._by_change.setdefault(change, []).append(write)
            if write.revision is not None:
                self._acknowledged(write, write.revision)
        tellings: dict[int, list[Told]] = {}
        for stream in known.streams:
            for told in stream.told:
                if told.changes:
                    tellings.setdefault(told.revision, []).append(told)
        for revision, told_here in sorted(tellings.items()):
            if revision not in self.entries:
                self._find(told_here)
            for told in told_here:
                self._told(told)
        self.revisions = sorted(self.entries)
        for revision, entry in self.entries.items():
            for key in entry.changes:
                self._of_key.setdefault(key, []).append(revision)

    def history_of(self, key: str) -> Iterable[int]:
        """The revisions at which a key was changed."""
        return self._of_key.get(key, ())

    def _acknowledged(self, write: Write, revision: int) -> None:
        if other := self.entries.get(revision):
            what = f"two writes of revision {revision}"
            self._violated(WatchPromise.REVISIONS, what, other.evidence, write.operation)
            return
        self._place(write, revision)

    def _place(self, write: Write, revision: int) -> None:
        # What it removes may not have been there: only watchers know.
        puts: dict[str, Value] = {key: value for key, value in write.changes.items() if value is not None}
        self.entries[revision] = Entry(puts, write.operation, write)
        self._placed[write] = revision

    def _told(self, told: Told) -> None:
        entry = self.entries[told.revision]
        for key, value in told.changes.items():
            known = entry.write.changes if entry.write else entry.changes
            if key in known and known[key] == value:
                entry.changes[key] = value
            elif entry.write or key in known:
                what = f"revision {told.revision} is told with {key!r} as {value!r}, which is not what it is"
                self._violated(AUTHENTIC, what, entry.evidence, told.operation)
            else:
                entry.changes[key] = value
        if entry.write and entry.write.operation.invoked_s > told.operation.returned_s:
            self._violated(AUTHENTIC, "told before it was written", told.operation, entry.write.operation)

    def _find(self, tellings: list[Told]) -> None:
        """Place the write of a revision that watchers were told of and no writer."""
        told = tellings[0]
        everything = {key: value for each in tellings for key, value in each.changes.items()}
        same = self._same(everything, told) or self._same(told.changes, told)
        for write in same:
            if write not in self._placed and write.operation.outcome is Outcome.UNKNOWN:
                self._place(write, told.revision)
                return
        if not same:
            self._violated(AUTHENTIC, "nobody wrote it", told.operation)
        elif same[0] in self._placed:
            what = f"a write of revision {self._placed[same[0]]} is told as {told.revision}"
            self._violated(AUTHENTIC, what, same[0].operation, told.operation)
        else:
            self._violated(AUTHENTIC, "told of a write that certainly failed", same[0].operation, told.operation)
        self.entries[told.revision] = Entry(dict(told.changes), told.operation, None)

    def _same(self, changes: Changes, told: Told) -> list[Write]:
        """The writes that make these changes, those first that are most likely meant."""
        rarest = min((self._by_change.get(change, []) for change in changes.items()), key=len)

        def unlikely(write: Write) -> tuple[bool, int]:
            return write.operation.invoked_s > told.operation.returned_s, len(write.changes)

        return sorted((write for write in rarest if changes.items() <= write.changes.items()), key=unlikely)

    def _violated(self, promise: WatchPromise, what: str, *operations: Operation) -> None:
        self.violations.append(Violation(promise, what, operations))
