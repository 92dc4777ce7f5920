"""`members`: which are chosen, what is shown of them, and how changes are told."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from commands import member_watch
from commands.member_watch import FAILURES_MAX, _screen, changes
from tests.unit.cli.play import Play
from transport.client.errors import ClientError, Overloaded, RequestFailed, Unreachable


def row(name: str, status: str = "alive", **more: Any) -> dict[str, Any]:
    """One member as the server answers."""
    return {
        "name": name,
        "id": f"id-{name}",
        "address": f"{name}:7946",
        "status": status,
        "tags": {},
        "role": "follower",
        "incarnation": 3,
        "status_age_s": None,
        "rtt_ms": None,
        "local": False,
        **more,
    }


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits between two questions."""
    monkeypatch.setattr(member_watch, "PERIOD_S", 0)


WEB1 = row("web1", tags={"role": "web", "zone": "a"})
WEB2 = row("web2", "failed", tags={"role": "web", "zone": "b"}, status_age_s=75.0, rtt_ms=0.61)
DB = row("db1", "suspect", tags={"role": "db"})


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("--name web.*", "web1 web2"),
        ("--name web", ""),
        ("--name web1|db1", "web1 db1"),
        ("--name web1 --name db1", "web1 db1"),
        ("--status failed", "web2"),
        ("--status fail", ""),
        ("--status alive|suspect", "web1 db1"),
        ("--tag role=web", "web1 web2"),
        ("--tag role=w", ""),
        ("--tag role=.* --tag zone=a|c", "web1"),
        ("--tag zone=.*", "web1 web2"),
        ("--tag owner=", ""),
        ("--tag role=web --status alive --name .*2", ""),
    ],
)
def test_choice(play: Play, options: str, names: str) -> None:
    """Anchored expressions, as Serf's; the server is asked for all, so that no expression can hang it."""
    play.answers["members"] = [WEB1, WEB2, DB]
    found = json.loads(play.text("members", *options.split(), "--format", "json"))

    assert [member["name"] for member in found] == names.split()
    assert play.asked == [("members", {})]


@pytest.mark.parametrize("options", ["--name (", "--tag role", "--tag =x", "--tag role=[", "--why x --detailed"])
def test_choice_that_is_none(play: Play, options: str) -> None:
    """Wrong usage, said in words, before anything is asked."""
    result = play.run("members", *options.split())

    assert result.exit_code == 2
    assert play.asked == []


def test_detailed(play: Play) -> None:
    """Whole ids, and what is not known is a dash."""
    play.answers["members"] = [WEB1, WEB2]

    assert play.text("members", "--detailed") == (
        "NAME  ADDRESS    STATUS  FOR         ROLE      RTT       INCARNATION  ID       TAGS\n"
        "web1  web1:7946  alive   -           follower  -         3            id-web1  role=web,zone=a\n"
        "web2  web2:7946  failed  1 min 15 s  follower  0.610 ms  3            id-web2  role=web,zone=b\n"
    )


def test_changes() -> None:
    """What was there, what is new, and nothing of what only grows older."""
    told = [(change["change"], change["name"]) for change in changes(None, [WEB1, DB])]
    assert told == [("present", "web1"), ("present", "db1")]

    older = {**WEB2, "status_age_s": 76.0, "rtt_ms": 0.62}
    assert list(changes([WEB2], [older])) == []

    lead = {**WEB1, "role": "leader"}
    news = list(changes([WEB1, WEB2, DB], [row("new"), lead, {**DB, "status": "alive"}]))
    assert [(change["change"], change["name"]) for change in news] == [
        ("joined", "new"),
        ("updated", "web1"),
        ("status", "db1"),
        ("gone", "web2"),
    ]
    assert news[2]["was"] == "suspect"


def test_a_screen_is_cut_to_the_terminal() -> None:
    """Drawn over the last one, no line longer than the terminal, and what does not fit is counted."""
    screen = _screen("NAME\nweb1 and more\nweb2\nweb3\nweb4", os.terminal_size((8, 5)))

    assert screen == "\x1b[HNAME\x1b[K\nweb1 and\x1b[K\nweb2\x1b[K\n... and 2 more\x1b[K\n\x1b[J"


@pytest.mark.parametrize("passing", [RequestFailed("gossip@1 died"), Overloaded("the mailbox is full")])
def test_watch_outlives_an_actor_that_begins_anew(play: Play, passing: ClientError) -> None:
    """It asks again; only when that does not help in ten tries it ends."""
    play.answers["members"] = [WEB1]
    play.failures, play.failure = [None, *[passing] * FAILURES_MAX, None], passing
    result = play.run("members", "--watch")

    assert len(result.stdout.splitlines()) == 1
    assert result.exit_code == 1
    assert len(play.asked) == 1 + FAILURES_MAX + 1 + FAILURES_MAX + 1


def test_watch_ends_when_the_server_is_gone(play: Play) -> None:
    """What was seen stands; then one line on stderr, and the exit code of a server that is not reached."""
    play.answers["members"] = [WEB1]
    play.failures, play.failure = [None], Unreachable("127.0.0.1:7946: the connection broke")
    result = play.run("members", "--watch", "--format", "jsonl")

    assert [json.loads(line)["change"] for line in result.stdout.splitlines()] == ["present"]
    assert (result.exit_code, result.stderr) == (
        3,
        "error: the server at 127.0.0.1:7946 went away: it was stopped, it has crashed, or nothing reaches it\n",
    )
