"""The checker of watches: is every stream a part of one history of changes, and the one that the writers were told of?

What lives here: the promises, and each of them held against a history. What does not: what the operations mean
(watch_history.py), and what was changed at which revision (change_log.py).

The promises are those of etcd's API guarantees for watches, tested as its robustness tests do; what they call resuming
is here a watch that begins after a revision other than 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter

from tests.histories.change_log import ChangeLog
from tests.histories.promises import WatchPromise
from tests.histories.real_time import disorder
from tests.histories.violation import Violation
from tests.histories.watch_history import Stream, Told, WatchHistory
from tests.linearizability.history import History
from tests.linearizability.models import shown

ORDERED, UNIQUE, ATOMIC = WatchPromise.ORDERED, WatchPromise.UNIQUE, WatchPromise.ATOMIC
RELIABLE, RESUMABLE, BOOKMARKABLE = WatchPromise.RELIABLE, WatchPromise.RESUMABLE, WatchPromise.BOOKMARKABLE

_revision = attrgetter("revision")


def check_watches(history: History) -> list[Violation]:
    """Every broken promise. Raises HistoryError for what is malformed."""
    known = WatchHistory.of(history)
    log = ChangeLog(known)
    return [
        *log.violations,
        *_revisions(known),
        *chain.from_iterable(map(_sequence, known.streams)),
        *chain.from_iterable(_completeness(stream, log) for stream in known.streams),
        *_reads(known, log),
    ]


def _revisions(known: WatchHistory) -> Iterator[Violation]:
    """What was over, or told, before a write began has a lower revision than the write."""
    before = [(write.operation, write.revision) for write in known.writes if write.revision is not None]
    told = [(told.operation, told.revision) for stream in known.streams for told in stream.told]
    for earlier, later in disorder([*before, *told], before):
        what = "a write has no higher revision than what was known before it began"
        yield Violation(WatchPromise.REVISIONS, what, (earlier, later))


def _sequence(stream: Stream) -> Iterator[Violation]:
    """What a stream says, held against what it said before."""
    told: dict[int, Told] = {}
    last: Told | None = None
    bookmark: Told | None = None
    for each in stream.told:
        if not each.changes:
            if last and each.revision < last.revision:
                yield Violation(BOOKMARKABLE, "a bookmark behind what was told", (last.operation, each.operation))
            bookmark = max(bookmark or each, each, key=_revision)
            continue
        if outside := [key for key in each.changes if not stream.covers(key)]:
            what = f"{outside[0]!r} is not what is watched"
            yield Violation(WatchPromise.FILTERED, what, (stream.operation, each.operation))
        if again := told.get(each.revision):
            is_torn = not again.changes.keys() & each.changes.keys()
            promise, what = (ATOMIC, "one revision in two parts") if is_torn else (UNIQUE, "one revision twice")
            yield Violation(promise, what, (again.operation, each.operation))
        elif each.revision <= stream.after:
            what = f"the watch began after revision {stream.after}, and tells {each.revision}"
            yield Violation(RESUMABLE, what, (stream.operation, each.operation))
        elif last and each.revision < last.revision:
            yield Violation(ORDERED, "an earlier revision after a later one", (last.operation, each.operation))
        elif bookmark and each.revision <= bookmark.revision:
            what = "a bookmark was before an update that it had promised"
            yield Violation(BOOKMARKABLE, what, (bookmark.operation, each.operation))
        told[each.revision] = each
        last = max(last or each, each, key=_revision)
    if stream.compacted and stream.compacted.revision <= stream.until:
        what = f"compacted up to {stream.compacted.revision}, and nothing after {stream.until} was asked for"
        yield Violation(RELIABLE, what, (stream.operation, stream.compacted.operation))


def _completeness(stream: Stream, log: ChangeLog) -> Iterator[Violation]:
    """All changes of what is watched, from where the stream begins to the last revision that it knows of."""
    updates = {told.revision: told for told in stream.told if told.changes}
    until = stream.until
    known = [revision for revision in log.revisions if stream.after < revision <= until]
    if stream.watches_all and len(known) < until - stream.after:
        gap = next(each for each, found in enumerate([*known, 0], stream.after + 1) if each != found)
        yield Violation(RELIABLE, f"nobody was told what revision {gap} is", (stream.operation,))
    for revision in known:
        entry = log.entries[revision]
        expected = stream.part(entry.changes)
        told = updates.get(revision)
        if told is None and expected:
            what = f"revision {revision} is missing from what was told up to {until}"
            yield Violation(_missing(stream, updates, revision), what, (stream.operation, entry.evidence))
        elif told is not None and (lacking := expected.keys() - told.changes.keys()):
            what = f"revision {revision} is told without {sorted(lacking)[0]!r}"
            yield Violation(ATOMIC, what, (told.operation, entry.evidence))


def _missing(stream: Stream, updates: dict[int, Told], revision: int) -> WatchPromise:
    """Which promise is broken when a revision is missing."""
    if revision > max(updates, default=0):
        return BOOKMARKABLE  # only bookmarks came after it
    if stream.after and revision < min(updates):
        return RESUMABLE
    return RELIABLE


def _reads(known: WatchHistory, log: ChangeLog) -> Iterator[Violation]:
    """What was read as of a revision is what somebody knows who was told of all changes up to there."""
    for read in known.reads:
        ((key, value),) = read.changes.items()
        if not _is_told(known.streams, key, read.revision):
            continue
        at = max((revision for revision in log.history_of(key) if revision <= read.revision), default=None)
        replayed = None if at is None else log.entries[at].changes[key]
        if replayed != value:
            what = f"who was told of every change of {key!r} up to {read.revision} knows {shown(replayed)}"
            evidence = () if at is None else (log.entries[at].evidence,)
            yield Violation(RELIABLE, what, (*evidence, read.operation))


def _is_told(streams: tuple[Stream, ...], key: str, revision: int) -> bool:
    """Whether streams that go on where others ended have told all that happened to a key up to a revision."""
    reach = 0
    for stream in sorted(streams, key=lambda one: one.after):
        if stream.covers(key) and stream.after <= reach:
            reach = max(reach, stream.until)
    return reach >= revision
