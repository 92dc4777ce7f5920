"""Which events a handler is given: S42 of docs/membership-cases.md, and what a change of a member is called."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.events.coalescing import LONGEST_S, NAMES_MAX, QUIET_S, MemberCoalescer, UserCoalescer
from actors.events.member_events import MemberEvent, MemberEvents
from actors.gossip.dispatches import UserEvent
from actors.gossip.member import Member

JOIN, LEAVE, FAILED, UPDATE, REAP = MemberEvent


def member(name: str, status: str = "alive", **tags: str) -> Member:
    """A member as gossip shows it."""
    return Member(f"id-{name}", name, f"{name}:1", status, tags, 1, 1)


@pytest.mark.parametrize(
    ("statuses", "events"),
    [
        ("alive", [JOIN]),
        ("alive suspect alive", [JOIN]),
        ("alive suspect failed", [JOIN, FAILED]),
        ("alive failed alive", [JOIN, FAILED, JOIN]),
        ("alive leaving left", [JOIN, LEAVE]),
        ("alive failed left", [JOIN, FAILED, LEAVE]),
        ("alive left left forgotten", [JOIN, LEAVE, REAP]),
        ("suspect alive", [JOIN]),
        ("suspect failed", [FAILED]),
        ("failed failed", [FAILED]),
        ("forgotten", []),
    ],
)
def test_what_a_change_is_called(statuses: str, events: list[MemberEvent]) -> None:
    """Serf's words: a suspicion and an announcement are no events; each event is told once."""
    known = MemberEvents()
    told = [known.change(member("a", status), forgotten=status == "forgotten") for status in statuses.split()]

    assert [event for event in told if event is not None] == events


def test_an_update_is_a_change_of_name_address_or_tags() -> None:
    """Of a member that is there; a failed one that comes back with other tags has joined."""
    known = MemberEvents()
    first = member("a", role="db")
    assert known.change(first, forgotten=False) is JOIN
    assert known.change(replace(first, incarnation=9), forgotten=False) is None
    assert known.change(replace(first, tags={"role": "web"}), forgotten=False) is UPDATE
    assert known.change(replace(first, tags={"role": "web"}, address="b:2"), forgotten=False) is UPDATE
    assert known.change(member("a", "failed"), forgotten=False) is FAILED
    assert known.change(member("a", role="x"), forgotten=False) is JOIN


def gathered(*moments: list[tuple[MemberEvent, Member]]) -> list[list[tuple[MemberEvent, str]]]:
    """What each moment comes to: (event, names)."""
    coalescer = MemberCoalescer()
    outcomes = []
    for moment in moments:
        for event, who in moment:
            coalescer.add(0.0, event, who)
        outcomes.append([(event, " ".join(one.name for one in members)) for event, members in coalescer.take()])
    return outcomes


def test_42_what_happens_in_one_moment_is_one_event_a_kind() -> None:
    """MemberEventCoalesce_Basic: members that join together are told together."""
    a, b, c = member("a"), member("b"), member("c")

    assert gathered([(JOIN, a), (JOIN, b), (LEAVE, c)]) == [[(JOIN, "a b"), (LEAVE, "c")]]


def test_42_a_failure_and_a_return_in_one_moment_are_nothing() -> None:
    """It is as it was; across two moments they are both told."""
    a = member("a")

    assert gathered([(JOIN, a)], [(FAILED, a), (JOIN, a)]) == [[(JOIN, "a")], []]
    assert gathered([(JOIN, a)], [(FAILED, a)], [(JOIN, a)]) == [[(JOIN, "a")], [(FAILED, "a")], [(JOIN, "a")]]
    assert gathered([(JOIN, a)], [(FAILED, a), (JOIN, a), (FAILED, a)]) == [[(JOIN, "a")], [(FAILED, "a")]]


def test_42_an_update_is_never_swallowed() -> None:
    """TagUpdate: nor by a failure and a return in its moment; a join tells the latest tags."""
    old, new = member("a", role="old"), member("a", role="new")

    assert gathered([(JOIN, old)], [(UPDATE, new)], [(UPDATE, old)]) == [
        [(JOIN, "a")],
        [(UPDATE, "a")],
        [(UPDATE, "a")],
    ]
    assert gathered([(JOIN, old)], [(UPDATE, new), (FAILED, new), (JOIN, new)]) == [[(JOIN, "a")], [(UPDATE, "a")]]
    coalescer = MemberCoalescer()
    coalescer.add(0.0, JOIN, old)
    coalescer.add(0.0, UPDATE, new)
    assert coalescer.take() == [(JOIN, [new])]


def test_a_reaped_member_that_comes_back_is_new() -> None:
    """Nothing is kept of it."""
    a = member("a")

    assert gathered([(JOIN, a)], [(LEAVE, a)], [(REAP, a)], [(JOIN, a)])[-1] == [(JOIN, "a")]


def test_a_moment_ends_when_it_is_quiet_and_never_lasts_long() -> None:
    """Serf's: a second of quiet, three seconds at most."""
    coalescer = MemberCoalescer()
    coalescer.add(10.0, JOIN, member("a"))
    assert coalescer.moment.deadline == 10.0 + QUIET_S
    coalescer.add(10.9, JOIN, member("b"))
    assert coalescer.moment.deadline == 10.9 + QUIET_S
    for tenth in range(20):
        coalescer.add(11.0 + tenth / 10, JOIN, member("c"))
    assert coalescer.moment.deadline == 10.0 + LONGEST_S
    coalescer.take()
    assert coalescer.moment.deadline == float("inf")


def test_of_user_events_of_one_name_the_newest_is_left() -> None:
    """By Lamport time, in whatever order they come; two of one time are both the newest."""
    coalescer = UserCoalescer()
    for ltime, name, payload in [(5, "a", b"5"), (3, "a", b"3"), (4, "b", b"4"), (7, "a", b"7"), (7, "a", b"7'")]:
        assert coalescer.add(0.0, UserEvent(ltime, name, payload, True))

    assert [(event.name, event.payload) for event in coalescer.take()] == [("a", b"7"), ("a", b"7'"), ("b", b"4")]
    assert coalescer.take() == []


def test_what_finds_no_room_is_handled_by_itself() -> None:
    """A flood of names, or of payloads at one time, is not kept."""
    coalescer = UserCoalescer()
    taken = sum(coalescer.add(0.0, UserEvent(1, f"n{number}", b"", True)) for number in range(2 * NAMES_MAX))
    same = sum(coalescer.add(0.0, UserEvent(1, "n0", b"%d" % number, True)) for number in range(100))

    assert (taken, same) == (NAMES_MAX, 15)
