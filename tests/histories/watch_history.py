"""What a history tells of watches: the writes with the revisions they got, and what each stream of updates told.

What lives here: the operations' meaning, and what makes one malformed. What does not: what has to hold of them
(watch_checker.py). The functions, in the order in which a watcher's are recorded:

    write      arguments: key, value, key, value, … (None: removed), all of one command;
               result: its revision, None if it changed nothing
    watch      key: the key or prefix; arguments: whether it is a prefix, after which revision; lasts with the stream
    update     key: as its watch's; arguments: revision, key, value, key, value, …: all that one command changed
    bookmark   key: as its watch's; arguments: revision up to which nothing is missing
    compacted  key: as its watch's; arguments: the oldest revision after which everything is known; ends the stream
    read       arguments: revision; result: the key's value at that revision, None if there was none

A stream belongs to its client: what the client is told belongs to the last watch that it began. No value is written
twice, and a command of several keys writes one, so that what is told tells whose write it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from tests.linearizability.history import History, HistoryError
from tests.linearizability.operation import Operation, Value

Changes = Mapping[str, Value]
"""Of one command: by key the new value, None when it was removed."""

WRITE, WATCH, UPDATE, BOOKMARK, COMPACTED, READ = "write", "watch", "update", "bookmark", "compacted", "read"
WATCH_FUNCTIONS = frozenset({WRITE, WATCH, UPDATE, BOOKMARK, COMPACTED, READ})


@frozen(eq=False)
class Write:
    """A command that changes keys, all or none."""

    operation: Operation
    changes: Changes

    @property
    def revision(self) -> int | None:
        """What it was acknowledged with; None when nobody was told, or nothing was changed."""
        told = self.operation.result if self.operation.is_definite else None
        return None if told is None else _revision(self.operation, told)


@frozen(eq=False)
class Told:
    """What a stream told: an update, or with no changes a bookmark."""

    operation: Operation
    revision: int
    changes: Changes


@define(eq=False)
class Stream:
    """One watch from its beginning to its end, with what it told in that order."""

    operation: Operation
    is_prefix: bool
    after: int
    told: list[Told] = field(factory=list)
    compacted: Told | None = None

    @property
    def until(self) -> int:
        """Up to here it has told everything, if it keeps its promises."""
        return max([self.after, *(told.revision for told in self.told)])

    @property
    def watches_all(self) -> bool:
        """Whether it is told of every change there is."""
        return self.is_prefix and not self.operation.key

    def covers(self, key: str) -> bool:
        """Whether it is told what happens to a key."""
        return key.startswith(self.operation.key) if self.is_prefix else key == self.operation.key

    def part(self, changes: Changes) -> dict[str, Value]:
        """Those of the changes that it is told of."""
        return {key: value for key, value in changes.items() if self.covers(key)}


@frozen
class WatchHistory:
    """The writes, the streams, and the reads of the past, each in the order of their numbers."""

    writes: tuple[Write, ...]
    streams: tuple[Stream, ...]
    reads: tuple[Told, ...]

    @classmethod
    def of(cls, history: History) -> WatchHistory:
        """What the history tells of watches; everything else is left out. Raises HistoryError for what is malformed."""
        writes, reads = list[Write](), list[Told]()
        streams: list[Stream] = []
        latest: dict[str, Stream] = {}
        for operation in sorted(history, key=lambda one: one.number):
            if operation.function == WRITE:
                writes.append(Write(operation, _changes(operation, operation.arguments)))
            elif operation.function == WATCH:
                latest[operation.client] = _stream(operation)
                streams.append(latest[operation.client])
            elif operation.function == READ:
                if operation.is_definite:
                    (revision,) = _count(operation, 1)
                    reads.append(Told(operation, _revision(operation, revision), {operation.key: operation.result}))
            elif operation.function in WATCH_FUNCTIONS:
                _tell(latest.get(operation.client), operation)
        return cls(tuple(writes), tuple(streams), tuple(reads))


def _stream(operation: Operation) -> Stream:
    is_prefix, after = _count(operation, 2)
    if not isinstance(is_prefix, bool):
        raise _malformed(operation, f"{is_prefix!r} does not say whether it is a prefix")
    return Stream(operation, is_prefix, _revision(operation, after))


def _tell(stream: Stream | None, operation: Operation) -> None:
    if stream is None or stream.operation.key != operation.key:
        raise _malformed(operation, "its client has no such watch")
    if stream.compacted is not None:
        raise _malformed(operation, "its watch had ended")
    if operation.function == UPDATE:
        revision, *pairs = operation.arguments or (None,)
        stream.told.append(Told(operation, _revision(operation, revision), _changes(operation, pairs)))
        return
    (revision,) = _count(operation, 1)
    told = Told(operation, _revision(operation, revision), {})
    if operation.function == BOOKMARK:
        stream.told.append(told)
    else:
        stream.compacted = told


def _changes(operation: Operation, pairs: Sequence[Value]) -> Changes:
    if not pairs or len(pairs) % 2:
        raise _malformed(operation, "its changes are no pairs of a key and a value")
    found: dict[str, Value] = {}
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, str) or key in found:
            raise _malformed(operation, f"{key!r} is no key, or there twice")
        found[key] = value
    return found


def _revision(operation: Operation, value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _malformed(operation, f"{value!r} is no revision")
    return value


def _count(operation: Operation, count: int) -> tuple[Value, ...]:
    if len(operation.arguments) != count:
        raise _malformed(operation, f"{operation.function} has {count} arguments, not {len(operation.arguments)}")
    return operation.arguments


def _malformed(operation: Operation, why: str) -> HistoryError:
    return HistoryError(f"operation #{operation.number}: {why}")
