"""What people are shown of the runtime: plain data, and dead letters that say something."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.dead_letter import DeadLetter, DeadLetters
from actors.runtime.policy import Strategy
from tests.unit.runtime.stage import Note, Once, Player, Stage
from tests.unit.runtime.virtual_time import story


@story
async def test_the_views_are_plain_data() -> None:
    """The gateway sends them as they are."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)), ("b", stage.cast(Player)), strategy=Strategy.REST_FOR_ONE)
        stage.tell("a", Note("1"), Once("crash"))
        stage.tell("nobody", Note("1"))
        await stage.settle()
        stage.tell("b", Note("waits"))

        assert stage.system.actors() == json.loads(json.dumps(stage.system.actors()))
        assert stage.row("a") == {
            "name": "a",
            "incarnation": 2,
            "state": "running",
            "supervisor": "supervisor1",
            "restarts": 1,
            "mailbox": 0,
            "handled": 1,
            "tasks": 0,
            "timers": 0,
            "last_error": "ValueError: crash",
        }
        (tree,) = json.loads(json.dumps(stage.system.tree()))
        assert (tree["name"], tree["strategy"]) == ("supervisor1", "rest_for_one")
        assert [(child["name"], child["incarnation"]) for child in tree["children"]] == [("a", 2), ("b", 2)]
        boxes = json.loads(json.dumps(stage.system.mailboxes()))
        assert [(box["name"], box["depth"]) for box in boxes] == [("a", 0), ("b", 1)]
        letters = json.loads(json.dumps(stage.system.dead_letters()))
        assert letters["total"] == 2
        assert letters["by_reason"] == {"it crashed its handler": 1, "there is no such actor": 1}
        assert letters["letters"][1] == {
            "kind": "play.note",
            "to": "nobody",
            "sender": "s1",
            "reason": "there is no such actor",
            "time": 0.0,
            "since": 0.0,
            "count": 1,
        }


def add(letters: DeadLetters, kind: str, now: float) -> int:
    """One letter of a kind."""
    return letters.add(DeadLetter(kind, to="a", sender="b", reason="full"), str(now), now)


def test_letters_of_one_sort_share_an_entry() -> None:
    """A stream of probes to a dead server does not push out the one letter that matters."""
    letters = DeadLetters(limit=2)
    add(letters, "rare", 1.0)
    counts = [add(letters, "ping", float(now)) for now in range(2, 100)]

    assert counts[-1] == 98
    assert [(x["kind"], x["count"], x["since"], x["time"]) for x in letters.view()["letters"]] == [
        ("ping", 98, 2.0, 99.0),
        ("rare", 1, 1.0, 1.0),
    ]
    assert letters.view()["letters"][0]["reason"] == "full: 99.0"


@given(kinds=st.lists(st.sampled_from("abcdef"), max_size=50), limit=st.integers(1, 4))
def test_letters_are_counted_and_bounded(kinds: list[str], limit: int) -> None:
    """Whatever comes: the total is right, at most `limit` entries are kept, the latest first and among them."""
    letters = DeadLetters(limit)
    for now, kind in enumerate(kinds):
        add(letters, kind, float(now))

    view = letters.view()
    times = [letter["time"] for letter in view["letters"]]
    assert view["total"] == len(kinds)
    assert sum(view["by_reason"].values()) == len(kinds)
    assert len(times) <= limit
    assert times == sorted(times, reverse=True)
    assert not kinds or view["letters"][0]["kind"] == kinds[-1]
