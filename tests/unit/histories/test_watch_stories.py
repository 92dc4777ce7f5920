"""Stories of watches that keep every promise, and for each promise stories that break it, told by hand."""

from __future__ import annotations

import pytest

from tests.histories.promises import WatchPromise as Promise
from tests.histories.watch_checker import check_watches
from tests.linearizability.history import History
from tests.unit.histories.watching import (
    bookmark,
    compacted,
    during,
    failed,
    lost,
    read,
    tell,
    update,
    watch,
    write,
)

A = write(1, "a", "1")
B = write(2, "b", "2")
C = write(3, "a", "3")

KEPT = {
    "nothing happened": tell(watch()),
    "everything in order": tell(watch(), A, update(1, "a", "1"), B, update(2, "b", "2"), bookmark(2)),
    "a watch that is behind": tell(watch(), A, B, C, update(1, "a", "1")),
    "only what is watched": tell(watch(0, "b"), A, B, C, update(2, "b", "2", key="b"), bookmark(3, "b")),
    "one key, not its namesakes": tell(
        watch(0, "a", is_prefix=False), A, write(2, "ab", "2"), update(1, "a", "1", key="a"), bookmark(2, "a")
    ),
    "a command's changes together": tell(watch(), write(1, "a", "1", "b", "2"), update(1, "a", "1", "b", "2")),
    "the watched part of a command": tell(
        watch(0, "b"), write(1, "a", "1", "b", "2"), update(1, "b", "2", key="b"), bookmark(1, "b")
    ),
    "told before the writer was": tell(
        watch(), during((1.5, 9), write(1, "a", "1")), during((2, 2.5), update(1, "a", "1"))
    ),
    "unknown outcomes, told or not": tell(watch(), lost("a", "1"), lost("a", "2"), B, update(1, "a", "2"), bookmark(1)),
    "an unknown write after a later one": tell(
        watch(), lost("a", "1"), write(1, "b", "2"), update(1, "b", "2"), update(2, "a", "1")
    ),
    "a removal": tell(watch(), A, write(2, "a", None), update(1, "a", "1"), update(2, "a", None), read("a", 2, None)),
    "a removal of nothing tells nothing": tell(watch(), write(1, "x", None, "a", "1"), update(1, "a", "1")),
    "two unknown removals, one of which was made": tell(
        watch(), A, lost("a", None), lost("a", None), update(1, "a", "1"), update(2, "a", None)
    ),
    "a removal that changed nothing": tell(watch(), write(None, "x", None), A, update(1, "a", "1")),
    "resumed where it broke": tell(
        A, B, C, watch(), update(1, "a", "1"), watch(1), update(2, "b", "2"), update(3, "a", "3")
    ),
    "resumed at a bookmark": tell(
        A, B, watch(0, "b"), update(2, "b", "2", key="b"), bookmark(2, "b"), C, watch(2, "b"), bookmark(3, "b")
    ),
    "told again to one who asks again": tell(A, watch(), update(1, "a", "1"), watch(), update(1, "a", "1")),
    "compacted, and begun anew": tell(
        A, B, C, watch(0), compacted(2), watch(2), update(3, "a", "3"), read("a", 3, "3"), read("b", 3, "2")
    ),
    "reads of the past": tell(
        A, B, C, watch(), update(1, "a", "1"), update(2, "b", "2"), update(3, "a", "3"), read("a", 1, "1"),
        read("b", 1, None), read("a", 3, "3"),
    ),
    "a read that no watcher can judge": tell(A, watch(1), read("a", 1, "other")),
    "two watchers": tell(
        watch(client="v"), watch(client="w"), A, update(1, "a", "1", client="w"), update(1, "a", "1", client="v")
    ),
    "writes at once in any order": tell(
        during((1, 5), write(2, "a", "1")), during((2, 4), write(1, "b", "2")), watch(2)
    ),
}  # fmt: skip

BROKEN: dict[str, tuple[History, Promise, str]] = {
    "an earlier revision after a later one": (
        tell(A, B, watch(), update(2, "b", "2"), update(1, "a", "1")),
        Promise.ORDERED,
        "an earlier revision after a later one: #4 update 2 'b' '2' of w",
    ),
    "a change told twice": (
        tell(A, watch(), update(1, "a", "1"), update(1, "a", "1")),
        Promise.UNIQUE,
        "one revision twice: #3 update 1 'a' '1' of w",
    ),
    "a change left out in the middle": (
        tell(A, B, C, watch(), update(1, "a", "1"), update(3, "a", "3")),
        Promise.RELIABLE,
        "revision 2 is missing from what was told up to 3: #4 watch True 0",
    ),
    "an unknown write that only one watcher was told of": (
        tell(
            watch(client="v"), watch(), lost("a", "1"), B, update(1, "a", "1"), update(2, "b", "2"),
            update(2, "b", "2", client="v"),
        ),
        Promise.RELIABLE,
        "revision 1 is missing from what was told up to 2: #1 watch True 0",
    ),
    "an unknown write that nobody was told of": (
        tell(watch(), lost("a", "1"), B, update(2, "b", "2")),
        Promise.RELIABLE,
        "nobody was told what revision 1 is",
    ),
    "a removal that nobody was told of": (
        tell(watch(0, "a"), A, lost("a", None), update(1, "a", "1", key="a"), bookmark(2, "a"), read("a", 2, None)),
        Promise.RELIABLE,
        "who was told of every change of 'a' up to 2 knows '1': #2 write 'a' '1' → 1",
    ),
    "compacted, although it is known": (
        tell(A, B, watch(1), compacted(1)),
        Promise.RELIABLE,
        "compacted up to 1, and nothing after 1 was asked for: #3 watch True 1",
    ),
    "a command torn in two": (
        tell(watch(), write(1, "a", "1", "b", "2"), update(1, "a", "1"), update(1, "b", "2")),
        Promise.ATOMIC,
        "one revision in two parts: #3 update 1 'a' '1' of w",
    ),
    "a part of a command": (
        tell(watch(), write(1, "a", "1", "b", "2"), update(1, "a", "1")),
        Promise.ATOMIC,
        "revision 1 is told without 'b': #3 update 1 'a' '1' of w",
    ),
    "a removal told to one of two": (
        tell(
            A, write(2, "a", None, "b", "2"), watch(1, client="v"), update(2, "a", None, "b", "2", client="v"),
            watch(1), update(2, "b", "2"),
        ),
        Promise.ATOMIC,
        "revision 2 is told without 'a': #6 update 2 'b' '2' of w",
    ),
    "a resumed watch that tells what was told": (
        tell(A, watch(), update(1, "a", "1"), watch(1), update(1, "a", "1")),
        Promise.RESUMABLE,
        "the watch began after revision 1, and tells 1: #4 watch True 1",
    ),
    "a resumed watch with a gap": (
        tell(A, B, C, watch(1), update(3, "a", "3")),
        Promise.RESUMABLE,
        "revision 2 is missing from what was told up to 3: #4 watch True 1",
    ),
    "a bookmark after a change that was not told": (
        tell(A, B, watch(), update(1, "a", "1"), bookmark(2)),
        Promise.BOOKMARKABLE,
        "revision 2 is missing from what was told up to 2: #3 watch True 0",
    ),
    "a bookmark before its changes": (
        tell(A, B, watch(), bookmark(2), update(1, "a", "1"), update(2, "b", "2")),
        Promise.BOOKMARKABLE,
        "a bookmark was before an update that it had promised: #4 bookmark 2 of w",
    ),
    "a bookmark that goes back": (
        tell(A, B, watch(), update(1, "a", "1"), update(2, "b", "2"), bookmark(1)),
        Promise.BOOKMARKABLE,
        "a bookmark behind what was told: #5 update 2 'b' '2' of w",
    ),
    "a key that is not watched": (
        tell(A, watch(0, "b"), update(1, "a", "1", key="b")),
        Promise.FILTERED,
        "'a' is not what is watched: #2 watch 'b' True 0",
    ),
    "a value that nobody wrote": (
        tell(watch(), A, update(1, "a", "other")),
        Promise.AUTHENTIC,
        "revision 1 is told with 'a' as 'other', which is not what it is: #2 write 'a' '1' → 1 of c",
    ),
    "a change that nobody made": (
        tell(watch(), update(1, "a", "1")),
        Promise.AUTHENTIC,
        "nobody wrote it: #2 update 1 'a' '1' of w",
    ),
    "a change that certainly was not made": (
        tell(watch(), failed("a", "1"), update(1, "a", "1")),
        Promise.AUTHENTIC,
        "told of a write that certainly failed: #2 write 'a' '1' (failed) of c",
    ),
    "a write made twice": (
        tell(watch(), A, update(1, "a", "1"), update(2, "a", "1")),
        Promise.AUTHENTIC,
        "a write of revision 1 is told as 2: #2 write 'a' '1' → 1 of c",
    ),
    "an unknown write made twice": (
        tell(watch(), lost("a", "1"), update(1, "a", "1"), update(2, "a", "1")),
        Promise.AUTHENTIC,
        "a write of revision 1 is told as 2: #2 write 'a' '1' (unknown) of c",
    ),
    "a write at another revision than its writer was told": (
        tell(watch(), write(2, "a", "1"), update(1, "a", "1")),
        Promise.AUTHENTIC,
        "a write of revision 2 is told as 1: #2 write 'a' '1' → 2 of c",
    ),
    "told before it was written": (
        tell(watch(), update(1, "a", "1"), A),
        Promise.AUTHENTIC,
        "told before it was written: #2 update 1 'a' '1' of w",
    ),
    "two watchers who were told different things": (
        tell(
            watch(client="v"), watch(), lost("a", "1"), lost("a", "2"), update(1, "a", "1"),
            update(1, "a", "2", client="v"),
        ),
        Promise.AUTHENTIC,
        "revision 1 is told with 'a' as '2', which is not what it is: #3 write 'a' '1' (unknown) of c",
    ),
    "two writes of one revision": (
        tell(A, write(1, "b", "2")),
        Promise.REVISIONS,
        "two writes of revision 1: #1 write 'a' '1' → 1 of c",
    ),
    "a write with a lower revision than one before it": (
        tell(write(2, "a", "1"), write(1, "b", "2")),
        Promise.REVISIONS,
        "a write has no higher revision than what was known before it began: #1 write 'a' '1' → 2 of c",
    ),
    "a bookmark from the future": (
        tell(watch(0, "b"), bookmark(1, "b"), A),
        Promise.REVISIONS,
        "a write has no higher revision than what was known before it began: #2 bookmark 'b' 1 of w",
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", KEPT)
def test_what_keeps_the_promises_is_accepted(story: str) -> None:
    """Nothing is asked for that was not promised."""
    assert list(map(str, check_watches(KEPT[story]))) == []


@pytest.mark.parametrize("story", BROKEN)
def test_what_breaks_a_promise_is_found_out(story: str) -> None:
    """The promise is named, with the events that break it, in one line."""
    history, promise, line = BROKEN[story]

    found = check_watches(history)

    assert promise in {violation.promise for violation in found}
    lines = [str(violation) for violation in found if violation.promise is promise]
    assert any(each.startswith(f"{promise.value}: {line}") for each in lines), lines
    assert all("\n" not in each for each in lines)


def test_every_promise_is_broken_by_a_story() -> None:
    """No promise is checked that nothing could break."""
    assert {promise for _, promise, _ in BROKEN.values()} == set(Promise)
