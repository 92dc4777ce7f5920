"""Random histories of a store that keeps its promises are accepted, and each of them with one event changed is not."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tests.histories.watch_checker import check_watches
from tests.histories.watch_history import UPDATE
from tests.linearizability.operation import Operation, Value
from tests.unit.histories.watching import bookmark, failed, lost, read, tell, update, watch, write

KEYS = ("a/1", "a/2", "b/1")
RANGES = (("", True), ("a/", True), ("a/1", False), ("b", True))
OUTCOMES = ("ok", "ok", "ok", "unknown", "never", "failed")

Mutation = Callable[[list[Operation], int], list[Operation]]
"""Changes the update at a place."""

Log = dict[int, dict[str, Value]]


@st.composite
def kept_histories(draw: st.DrawFn) -> list[Operation]:
    """A few writes of every outcome, watchers of everything and of parts that break and go on, and reads of the past.

    Whoever breaks off hears up to where nothing is missing first.
    """
    events, log = draw(_writes())
    last = len(log)
    for number in range(draw(st.integers(1, 3))):
        # The first is told of everything: it is the witness of writes whose outcome nobody knows.
        key, is_prefix = draw(st.sampled_from(RANGES)) if number else ("", True)
        client, after = f"w{number}", draw(st.integers(0, last)) if number else 0
        for until in [*sorted(draw(st.lists(st.integers(after, last), max_size=2))), last]:
            events.append(watch(after, key, is_prefix=is_prefix, client=client))
            for revision in range(after + 1, until + 1):
                if part := _part(log[revision], key, is_prefix):
                    events.append(update(revision, *_pairs(part), key=key, client=client))
            events.append(bookmark(until, key, client))
            after = until
    at = draw(st.integers(0, last))
    return [*events, *(read(key, at, _value_at(log, key, at)) for key in KEYS)]


@st.composite
def _writes(draw: st.DrawFn) -> tuple[list[Operation], Log]:
    events: list[Operation] = []
    log: Log = {}
    for number in range(draw(st.integers(1, 8))):
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, unique=True))
        changes: dict[str, Value] = {key: f"{number}" if draw(st.booleans()) else None for key in keys}
        changes[keys[0]] = f"{number}"
        outcome = draw(st.sampled_from(OUTCOMES))
        if outcome in ("ok", "unknown"):
            # What is removed has to be there to be told of.
            present = {key for key in KEYS if _value_at(log, key, len(log)) is not None}
            log[len(log) + 1] = {key: value for key, value in changes.items() if value is not None or key in present}
        pairs = _pairs(changes)
        if outcome == "ok":
            events.append(write(len(log), *pairs))
        else:
            events.append(failed(*pairs) if outcome == "failed" else lost(*pairs))
    return events, log


def _part(changes: dict[str, Value], key: str, is_prefix: bool) -> dict[str, Value]:
    return {name: value for name, value in changes.items() if (name.startswith(key) if is_prefix else name == key)}


def _pairs(changes: dict[str, Value]) -> list[Value]:
    return [part for pair in changes.items() for part in pair]


def _value_at(log: Log, key: str, at: int) -> Value:
    values = [changes[key] for revision, changes in sorted(log.items()) if revision <= at and key in changes]
    return values[-1] if values else None


def _updates(events: list[Operation]) -> list[int]:
    """Where the updates are that have a value, and so are somebody's."""
    return [
        place
        for place, event in enumerate(events)
        if event.function == UPDATE and any(value is not None for value in event.arguments[2::2])
    ]


def left_out(events: list[Operation], place: int) -> list[Operation]:
    """It is not told."""
    return events[:place] + events[place + 1 :]


def told_twice(events: list[Operation], place: int) -> list[Operation]:
    """It is told again at once."""
    return events[:place] + events[place : place + 1] + events[place:]


def told_late(events: list[Operation], place: int) -> list[Operation]:
    """It comes after what was told after it: another update, or a bookmark."""
    return [*events[:place], events[place + 1], events[place], *events[place + 2 :]]


def told_wrong(events: list[Operation], place: int) -> list[Operation]:
    """With a value that nobody wrote."""
    revision, *pairs = events[place].arguments
    values: list[Value] = [None if value is None else "other" for value in pairs[1::2]]
    changed = _pairs(dict(zip(map(str, pairs[::2]), values, strict=True)))
    return _changed(events, place, [revision, *changed])


def told_as_another(events: list[Operation], place: int) -> list[Operation]:
    """As the revision after its own."""
    revision, *pairs = events[place].arguments
    assert isinstance(revision, int)
    return _changed(events, place, [revision + 1, *pairs])


def torn(events: list[Operation], place: int) -> list[Operation]:
    """Without one of its values, or all of it where there is only one."""
    revision, *pairs = events[place].arguments
    changes = dict(zip(map(str, pairs[::2]), pairs[1::2], strict=True))
    del changes[next(key for key, value in changes.items() if value is not None)]
    return _changed(events, place, [revision, *_pairs(changes)]) if changes else left_out(events, place)


def _changed(events: list[Operation], place: int, arguments: list[Value]) -> list[Operation]:
    return [*events[:place], evolve(events[place], arguments=tuple(arguments)), *events[place + 1 :]]


MUTATIONS = (left_out, told_twice, told_late, told_wrong, told_as_another, torn)


def check(events: list[Operation]) -> list[str]:
    """What is found."""
    return list(map(str, check_watches(tell(*events))))


@given(kept_histories())
def test_what_a_sound_store_does_is_accepted(events: list[Operation]) -> None:
    """However watchers break off, whatever outcomes nobody knows."""
    assert check(events) == []


@given(kept_histories(), st.sampled_from(MUTATIONS), st.data())
def test_one_changed_event_is_found_out(events: list[Operation], mutation: Mutation, data: st.DataObject) -> None:
    """Whichever, in whichever way."""
    places = _updates(events)
    if places:
        changed = mutation(events, data.draw(st.sampled_from(places)))
        assert check(changed) != [], changed
