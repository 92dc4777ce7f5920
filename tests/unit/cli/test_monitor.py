"""`monitor`: lines as the server writes them, and an end that says so."""

from __future__ import annotations

import json

from tests.unit.cli.play import Play
from transport.client.errors import Unreachable

ENTRY = {
    "time": "2026-01-02T03:04:05.678+00:00",
    "level": "warning",
    "logger": "quorate.gossip",
    "message": "two\x1b[2J is failed",
}


def test_lines_until_the_server_is_gone(play: Play) -> None:
    """Text for people, objects for scripts; dropped lines are counted on stderr; then one line and exit code 3."""
    play.answers["monitor"] = {"entries": [ENTRY], "cursor": "a-7", "dropped": 6}
    play.failures, play.failure = [None, None], Unreachable("127.0.0.1:7946: the connection broke")
    result = play.run("monitor", "--log-level", "debug")

    line = ":05.678 WARNING quorate.gossip: two\\x1b[2J is failed"
    assert [text[5:] for text in result.stdout.splitlines()] == [line, line]
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "6 lines dropped: they came faster than they were taken",
        "6 lines dropped: they came faster than they were taken",
        "error: the server at 127.0.0.1:7946 went away: it was stopped, it has crashed, or nothing reaches it",
    ]
    assert [arguments["cursor"] for _, arguments in play.asked] == ["", "a-7", "a-7", "a-7"], "asked once more"
    assert {arguments["level"] for _, arguments in play.asked} == {"debug"}

    play.failures = [None]
    assert json.loads(play.run("monitor", "--format", "json").stdout) == ENTRY


def test_a_gateway_that_begins_anew(play: Play) -> None:
    """The connection is made anew, and the monitor goes on where it was."""
    play.answers["monitor"] = {"entries": [ENTRY], "cursor": "a-7", "dropped": 0}
    play.failures = [None, Unreachable("the gateway died; ask again"), None, None]
    play.failure = Unreachable("gone")
    result = play.run("monitor")

    assert len(result.stdout.splitlines()) == 3
    assert [arguments["cursor"] for _, arguments in play.asked][:3] == ["", "a-7", "a-7"]
    assert result.exit_code == 3


def test_a_traceback_is_indented(play: Play) -> None:
    """No line of it can be taken for one of the log."""
    play.answers["monitor"] = {"entries": [{**ENTRY, "traceback": "Traceback\nE: x"}], "cursor": "a-1", "dropped": 0}
    play.failures, play.failure = [None], Unreachable("gone")

    assert play.run("monitor").stdout.splitlines()[1:] == ["  Traceback", "  E: x"]


def test_a_server_that_is_not_there(play: Play) -> None:
    """The line that says why; nothing of going away."""
    play.failure = Unreachable("no server at 127.0.0.1:7946 (connection refused)")
    result = play.run("monitor")

    assert (result.exit_code, result.stderr) == (3, "error: no server at 127.0.0.1:7946 (connection refused)\n")
