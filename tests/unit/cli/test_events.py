"""`event`, `query` and `reachability`: what is asked of a server, and how its answers are shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.config import ConfigError, NodeConfig
from actors.events.rows import restart_row
from tests.unit.cli.play import Play
from transport.client.errors import Unreachable

GONE = Unreachable("the connection broke")
QUERY = {"ok": True, "id": 7, "timeout_s": 0.8, "expected": ["a", "b", "c\n"]}
ACK_A = {"type": "ack", "from": "a"}
ACK_B = {"type": "ack", "from": "b"}
ANSWER = {"type": "answer", "from": "a", "error": "", "payload": "0.42\x1b[2J"}
BROKEN = {"type": "answer", "from": "b", "error": "ended with exit code 1", "payload": ""}


def page(*entries: dict[str, Any], dropped: int = 0) -> dict[str, Any]:
    """A page of a feed."""
    return {"entries": list(entries), "cursor": "1-5", "dropped": dropped}


def done(*missing: str) -> dict[str, Any]:
    """The end of the replies to a query."""
    return {"type": "done", "missing": list(missing)}


def test_an_event_is_sent(play: Play) -> None:
    """With its payload; whether it may be coalesced is the sender's choice."""
    play.answers["event.send"] = {"ok": True, "ltime": 12}

    assert play.text("event", "send", "deploy", "v2") == "event 'deploy' sent (Lamport time 12)\n"
    play.text("event", "send", "deploy", "--no-coalesce")
    assert play.asked == [
        ("event.send", {"name": "deploy", "payload": b"v2", "coalesce": True}),
        ("event.send", {"name": "deploy", "payload": b"", "coalesce": False}),
    ]


TODAY = datetime.now(UTC).isoformat(timespec="milliseconds")
MEMBER = {
    "time": TODAY,
    "event": "member-failed",
    "member": {"name": "n1", "address": "h:1", "id": "x", "status": "failed", "tags": {"role": "db", "a": "b"}},
}
RAFT = {
    "time": TODAY,
    "event": "raft-refused",
    "member": {"id": "y", "name": "n2", "address": "h:2", "tags": {}},
    "reason": "refused: only 1 of the 2 voters left would be up",
}
USER = {"time": TODAY, "event": "user", "name": "deploy", "ltime": 3, "coalesce": False, "payload": "v2\nfake line"}
LOAD = {"time": TODAY, "event": "query", "name": "load", "ltime": 4, "from": "n2", "payload_base64": "/w=="}


def test_events_are_shown_as_they_come_until_the_server_goes_away(play: Play) -> None:
    """A line each, in which nothing a peer chose begins a line of its own; losses and the end are said on stderr."""
    play.answers["event.watch"] = page(restart_row(), MEMBER, RAFT, USER, LOAD, dropped=9)
    play.failures = [None, GONE, GONE]
    result = play.run("event", "watch")

    assert result.exit_code == 3
    assert [line.split("  ", 1)[1] for line in result.stdout.splitlines()] == [
        "member-failed  n1  h:1  a=b,role=db",
        "raft-refused  n2  h:2  refused: only 1 of the 2 voters left would be up",
        r"user:deploy  (Lamport time 3)  v2\x0afake line",
        "query:load  (Lamport time 4) from n2  base64:/w==",
    ]
    assert "9 events dropped" in result.stderr
    assert "began its events anew" in result.stderr
    assert "went away" in result.stderr
    assert play.asked[0][1]["recent"] is False
    assert play.asked[1][1]["cursor"] == "1-5"


@pytest.mark.parametrize(
    ("names", "events"),
    [("--name deploy", ["user"]), ("--name user --name load", ["user", "query"]), ("--name nothing", [])],
)
def test_only_the_events_that_are_wanted_are_shown(play: Play, names: str, events: list[str]) -> None:
    """By name or by kind; an object a line for scripts."""
    play.answers["event.watch"] = page(MEMBER, USER, LOAD)
    play.failures = [None, GONE, GONE]
    result = play.run("event", "watch", "--recent", "--format", "jsonl", *names.split())

    assert [json.loads(line)["event"] for line in result.stdout.splitlines()] == events
    assert play.asked[0][1]["recent"] is True


def test_an_old_event_is_shown_with_its_own_time(play: Play) -> None:
    """That at which the server saw it, in this machine's time, and not that of the question; another day is said."""
    now = datetime.now().astimezone()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    old = midnight - timedelta(days=2, hours=1)
    play.answers["event.watch"] = page(USER | {"time": midnight.isoformat()}, USER | {"time": old.isoformat()})
    play.failures = [None, GONE, GONE]
    today, before = play.run("event", "watch", "--recent").stdout.splitlines()

    assert today.startswith("00:00:00  user:deploy")
    assert before.startswith(f"{old:%Y-%m-%d} 23:00:00  user:deploy")


def test_ctrl_c_ends_a_watch(play: Play) -> None:
    """As any command: 130, and no traceback."""
    play.failures = [KeyboardInterrupt()]
    result = play.run("event", "watch")

    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_a_query_shows_replies_as_they_come_and_counts_them(play: Play) -> None:
    """Serf's lines; who did not acknowledge is named."""
    play.answers |= {"query.send": QUERY, "query.follow": page(ACK_A, ACK_B, ANSWER, BROKEN, done("c\n"))}
    result = play.run(
        "query", "load", "1m", "--node", "a", "--tag", "role=d.*", "--relay-factor", "2", "--timeout", "9"
    )

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Query 'load' dispatched",
        "Ack from 'a'",
        "Ack from 'b'",
        r"Response from 'a': 0.42\x1b[2J",
        "No response from 'b': ended with exit code 1",
        "Total Acks: 2 of 3",
        "Total Responses: 1",
    ]
    assert "No ack from: c" in result.stderr
    assert play.asked[0][1] == {
        "name": "load",
        "payload": b"1m",
        "timeout_s": 9.0,
        "nodes": ["a"],
        "tags": {"role": "d.*"},
        "ack": True,
        "relays": 2,
    }


def test_a_query_without_a_time_takes_the_servers_formula(play: Play) -> None:
    """And one without acknowledgements shows none."""
    play.answers |= {"query.send": QUERY, "query.follow": page(ANSWER, done())}
    lines = play.text("query", "load", "--no-ack").splitlines()

    assert (play.asked[0][1]["timeout_s"], play.asked[0][1]["ack"]) == (0.0, False)
    play.text("query", "load", "--timeout", "0.1")
    assert (play.asked[2][1]["timeout_s"], min(play.timeouts)) == (0.1, 5.0)
    assert lines == ["Query 'load' dispatched", r"Response from 'a': 0.42\x1b[2J", "Total Responses: 1"]


def test_a_query_for_scripts(play: Play) -> None:
    """One object at the end as json, an object a reply as jsonl."""
    play.answers |= {"query.send": QUERY, "query.follow": page(ACK_A, ANSWER, done("b"))}
    report = json.loads(play.text("query", "load", "--format", "json"))
    lines = play.text("query", "load", "--format", "jsonl").splitlines()

    assert (report["acks"], report["missing"], report["responses"][0]["from"]) == (["a"], ["b"], "a")
    assert [json.loads(line)["type"] for line in lines] == ["ack", "answer", "done"]


MEMBERS = [{"name": name, "status": status} for name, status in (("a", "alive"), ("b", "suspect"), ("d", "failed"))]


def test_all_can_be_reached(play: Play) -> None:
    """Every live member has acknowledged."""
    play.answers |= {"members": MEMBERS, "query.send": QUERY, "query.follow": page(ACK_A, ACK_B, done())}
    lines = play.text("reachability", "--verbose").splitlines()

    assert lines[:4] == [
        "Total members: 3, live members: 2",
        "Starting reachability test...",
        "\tAck from 'a'",
        "\tAck from 'b'",
    ]
    assert lines[4].startswith("Query time: ")
    assert lines[5:] == ["Successfully contacted all live nodes"]


@pytest.mark.parametrize("form", ["table", "json"])
def test_who_cannot_be_reached_is_named(play: Play, form: str) -> None:
    """Exit code 1, the names, and what to do next."""
    play.answers |= {"members": MEMBERS, "query.send": QUERY, "query.follow": page(ACK_A, done("b", "c\n"))}
    result = play.run("reachability", "--format", form)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == r"error: 1 member of 3 acknowledged; missing: b, c\x0a"
    if form == "json":
        assert json.loads(result.stdout)["missing"] == ["b", "c\n"]
    else:
        assert "members --why" in result.stderr


def test_a_handler_that_makes_no_sense_ends_the_start(play: Play, tmp_path: Path) -> None:
    """Wrong usage, before anything is made."""
    folder = tmp_path / "d"
    result = play.run("start", "--data-dir", str(folder), "--event-handler", "member-joins=x")

    assert result.exit_code == 2
    assert "'member-joins' is no event" in result.stderr
    assert not folder.exists()


@pytest.mark.parametrize(
    ("file", "variable"), [('event-handler = ["user=x", "query:=x"]', ""), ("", "user=x y\nquery:=x")]
)
def test_handlers_come_from_a_file_or_the_environment_too(play: Play, tmp_path: Path, file: str, variable: str) -> None:
    """A list in the file, a line each in the environment: each is understood, or named."""
    config = tmp_path / "quorate.toml"
    config.write_text(file)
    env = {"QUORATE_CONFIG": str(config)} | ({"QUORATE_EVENT_HANDLER": variable} if variable else {})
    result = play.run("start", "--data-dir", str(tmp_path / "d"), env=env)

    assert result.exit_code == 2
    assert "--event-handler 'query:=x': 'query:' is no event" in result.stderr


def test_only_so_many_handlers(tmp_path: Path) -> None:
    """64 are enough for anybody."""
    handlers = NodeConfig(tmp_path, event_handlers=("user:deploy=sh deploy.sh", "notify")).handlers
    assert [handler.command for handler in handlers] == [("sh", "deploy.sh"), ("notify",)]

    with pytest.raises(ConfigError, match="at most 64"):
        NodeConfig(tmp_path, event_handlers=("run",) * 65).check()
