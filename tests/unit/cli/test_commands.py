"""Commands that ask a server: what they ask, how they print it, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quorate.version import __version__
from tests.unit.cli.play import Play
from transport.client.errors import ClientError, NoLeader, OutcomeUnknown, Refused, RequestFailed, Unreachable
from transport.errors import AddressError

MEMBER = {
    "name": "one",
    "id": "0123456789abcdef",
    "address": "127.0.0.1:7946",
    "status": "alive",
    "tags": {"zone": "b", "a": "1"},
    "role": "leader",
}
PEER = {
    "name": "one",
    "id": "0123456789abcdef",
    "address": "127.0.0.1:7946",
    "status": "alive",
    "role": "leader",
    "voter": True,
    "match_index": 7,
    "lag": 0,
    "snapshot": None,
    "reason": "voter",
}


def test_members(play: Play) -> None:
    """Aligned columns without boxes, or JSON with every key."""
    play.answers["members"] = [MEMBER]

    assert play.text("members") == (
        "NAME  ADDRESS         STATUS  ROLE    ID        TAGS\n"
        "one   127.0.0.1:7946  alive   leader  01234567  a=1,zone=b\n"
    )
    assert json.loads(play.text("members", "--format", "json")) == [MEMBER]
    assert json.loads(play.text("members", "--format", "jsonl")) == MEMBER


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "0", "-1", "86401", "soon"])
def test_time_that_is_none_is_wrong_usage(play: Play, seconds: str) -> None:
    """Nothing is asked, and what is wrong is said in words."""
    result = play.run("members", "--timeout", seconds)

    assert result.exit_code == 2
    assert "--timeout" in result.stderr
    assert play.asked == []


def test_members_why(play: Play) -> None:
    """The story of one member, oldest first."""
    steps = [{"age_s": 2.5, "event": "suspect", "by": "two", "detail": "no answer"}]
    play.answers["members"] = {"member": MEMBER, "why": steps}

    assert play.text("members", "--why", "one") == (
        "one at 127.0.0.1:7946 is alive\n  2.5 s ago  suspect  by two: no answer\n"
    )


def test_info(play: Play) -> None:
    """Sections as Serf prints them, or the JSON as it is."""
    play.answers["info"] = {"agent": {"name": "o\n"}, "gossip": {"members": 3, "encrypted": False}, "tags": {}}

    assert play.text("info") == "agent:\n\tname = o\\x0a\ngossip:\n\tencrypted = no\n\tmembers = 3\ntags:\n"
    assert json.loads(play.text("info", "--format", "json")) == play.answers["info"]


def test_tags(play: Play) -> None:
    """Set and unset; the tags afterwards are the answer."""
    play.answers["tags"] = {"name": "one", "tags": {"zone": "b", "role": "db"}, "incarnation": 4}
    assert play.text("tags", "set", "zone=b", "note=a=b") == "one has role=db,zone=b\n"
    play.answers["tags"] = {"name": "one", "tags": {}, "incarnation": 5}
    assert play.text("tags", "unset", "zone", "role", "zone") == "one has no tags\n"

    assert play.asked == [("tags", {"put": {"zone": "b", "note": "a=b"}}), ("tags", {"remove": ["zone", "role"]})]
    for wrong in (["set"], ["unset"], ["set", "zone"], ["set", "=b"]):
        assert play.run("tags", *wrong).exit_code == 2
    assert len(play.asked) == 2


def test_rtt(play: Play) -> None:
    """Serf's words, or the figure in ms; the second name may be left out."""
    play.answers["rtt"] = {"from": "one", "to": "two", "rtt_ms": 0.61}

    assert play.text("rtt", "one") == "Estimated one <-> two rtt: 0.610 ms\n"
    assert json.loads(play.text("rtt", "one", "two", "--format", "json")) == play.answers["rtt"]
    assert play.asked == [("rtt", {"start": "one", "to": ""}), ("rtt", {"start": "one", "to": "two"})]


def test_raft_peers(play: Play) -> None:
    """The configuration with the reconciler's reasons."""
    play.answers["raft.peers"] = [PEER]

    assert play.text("raft", "peers").splitlines()[1].split() == [
        "one", "127.0.0.1:7946", "alive", "leader", "yes", "7", "0", "-", "01234567", "voter",
    ]  # fmt: skip
    assert json.loads(play.text("raft", "peers", "--format", "json")) == [PEER]


def test_raft_peers_show_a_snapshot_on_its_way(play: Play) -> None:
    """A server that is far behind is seen to come closer."""
    progress = {"index": 900, "chunks": 512, "chunks_total": 1024, "bytes_total": 256 << 20}
    play.answers["raft.peers"] = [PEER | {"role": "follower", "match_index": 3, "snapshot": progress}]

    assert "50% of 256.0 MiB" in play.text("raft", "peers")
    assert json.loads(play.text("raft", "peers", "--format", "json"))[0]["snapshot"] == progress


def test_health_has_its_own_exit_code(play: Play) -> None:
    """0 when well, 5 when not; the report is on stdout both times."""
    check = {"name": "leader", "ok": True, "detail": "one leads"}
    play.answers["health"] = {"node": "one", "healthy": True, "ready": True, "checks": [check]}
    assert play.text("health") == "one is healthy\n[+]leader: one leads\n"
    play.answers["health"] = {"node": "one", "healthy": False, "ready": False, "checks": [check | {"ok": False}]}
    result = play.run("health", "--format", "json")

    assert result.exit_code == 5
    assert json.loads(result.stdout)["healthy"] is False
    assert result.stderr == "error: one is unhealthy: leader\n"


def test_join(play: Play) -> None:
    """One joined peer is a success; none is exit code 1 with each reason."""
    play.answers["join"] = {"joined": ["a:1"], "failed": {"b:2": "refused"}}
    assert play.text("join", "a:1", "b:2") == "joined a:1\ndid not join b:2: refused\n"
    play.answers["join"] = {"joined": [], "failed": {"b:2": "refused"}}

    assert play.run("join", "b:2").exit_code == 1
    assert play.run("join").exit_code == 2


@pytest.mark.parametrize(
    ("command", "op", "arguments", "answer", "text"),
    [
        (("leave",), "leave", {}, {"left": True}, "has left"),
        (
            ("force-leave", "x"),
            "force_leave",
            {"name": "x", "prune": False},
            {"name": "x", "status": "left"},
            "x is left",
        ),
        (
            ("force-leave", "x", "--prune"),
            "force_leave",
            {"name": "x", "prune": True},
            {"name": "x", "status": "left"},
            "x is forgotten",
        ),
        (("raft", "transfer"), "raft.transfer", {"name": ""}, {"ok": True, "reason": ""}, "handed over"),
        (("raft", "transfer", "x"), "raft.transfer", {"name": "x"}, {"ok": True, "reason": ""}, "to x"),
        (("raft", "remove", "x"), "raft.remove", {"name": "x"}, {"ok": True, "reason": ""}, "x removed"),
        (("raft", "snapshot"), "raft.snapshot", {}, {"ok": True, "reason": "nothing new"}, "nothing new"),
        (
            ("actors", "kill", "raft@1"),
            "actors.kill",
            {"target": "raft@1"},
            {"result": "killed raft@1"},
            "killed raft@1",
        ),
        (("actors", "mailboxes"), "actors.mailboxes", {}, [{"name": "raft", "depth": 3}], "raft  3"),
        (("actors", "mailboxes"), "actors.mailboxes", {}, [], "none"),
        (("actors", "dead-letters"), "actors.dead_letters", {}, {"total": 0, "letters": []}, "no dead letters"),
    ],
)
def test_operations(
    play: Play, command: tuple[str, ...], op: str, arguments: dict[str, Any], answer: Any, text: str
) -> None:
    """Each asks one thing, and prints the answer as text or as the JSON it is."""
    play.answers[op] = answer

    assert text in play.text(*command)
    assert json.loads(play.text(*command, "--format", "json")) == answer
    assert play.asked[0] == (op, arguments)


def test_force_leave_without_a_majority(play: Play) -> None:
    """It is done as far as gossip goes; that Raft has not heard of it yet is said beside the data."""
    play.answers["force_leave"] = {"name": "x", "status": "left", "keeps_vote": True}

    result = play.run("force-leave", "x")

    assert (result.exit_code, result.stdout) == (0, "x is left\n")
    assert result.stderr.startswith("x keeps its vote in Raft: ")
    assert "recover" in result.stderr
    play.answers["force_leave"]["keeps_vote"] = False
    assert play.run("force-leave", "x").stderr == ""


@pytest.mark.parametrize(
    ("failure", "exit_code"),
    [
        (Unreachable("no server at x"), 3),
        (NoLeader("no leader"), 4),
        (OutcomeUnknown("it may have been made"), 4),
        (Refused("no"), 1),
        (RequestFailed("oops"), 1),
        (AddressError("'x' is not an address"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(play: Play, failure: BaseException, exit_code: int) -> None:
    """One line on stderr, nothing on stdout, and the code that says what a script may do next."""
    play.failure = failure
    for command in (("status",), ("kv", "put", "a", "1"), ("raft", "peers"), ("actors", "list")):
        result = play.run(*command)

        assert (result.exit_code, result.stdout) == (exit_code, "")
        said = f"error: {failure}\n" if isinstance(failure, ClientError | AddressError) else "interrupted\n"
        assert result.stderr == said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("membres",), "did you mean 'members'"),
        (("xyzzy",), "--help"),
        (("kv", "gett", "a"), "No such command"),
        (("members", "--colour"), "No such option"),
        (("kv", "put", "k", "-5"), "No such option '-5'. If it is an argument, put '--' before it: -- -5"),
        (("members", "--format", "yaml"), "yaml"),
        (("members", "--timeout", "0"), "timeout"),
        (("kv", "put", "a"), "VALUE"),
        (("start", "--max-voters", "0"), "max-voters"),
        (("start", "--tag", "zone"), "KEY=VALUE"),
        (("start", "--bind", "localhost"), "port is missing"),
        (("start", "--bind", "localhost:0"), "port 0"),
        (("start", "--bind", ""), "--bind"),
        (("start", "--http", "localhost:0"), "port 0"),
        (("start", "--http", ""), "--http"),
        (("start", "--advertise", ""), "--advertise"),
        (("start", "--peer", "localhost:0"), "port 0"),
        (("start", "--monitor-port", "65534"), "three ports"),
        (("start", "--name", ""), "--name"),
        (("start", "--data-dir", ""), "empty path"),
        (("start", "--key", ""), "empty path"),
        (("check", ""), "empty path"),
        (("cluster", "up", "3", "--data-dir", ""), "empty path"),
        (("keys", "generate", ""), "empty path"),
        (("backup", ""), "empty path"),
        (("restore", ""), "empty path"),
        (("debug", "bundle", ""), "empty path"),
        (("join", "foo"), "port is missing"),
        (("status", "--key", "/nowhere/key"), "cannot be read"),
        (("status", "--key", "/dev/null"), "is not a key file"),
        (("join", ""), "it is empty"),
        (("lock", "", "--", "true"), "it is empty"),
        (("elect", "", "--", "true"), "it is empty"),
        (("raft", "transfer", ""), "it is empty"),
        (("raft", "remove", ""), "it is empty"),
        (("members", "--why", ""), "it is empty"),
        (("event", "watch", "--name", ""), "it is empty"),
        (("force-leave", ""), "it is empty"),
        (("rtt", ""), "it is empty"),
        (("rtt", "one", ""), "it is empty"),
        (("tokens", "generate", "/dev/null", "--name", "n", "--prefix", ""), "it is empty"),
        (("lock", "n", "--ttl", "nan", "--", "true"), "is no number of seconds"),
        (("elect", "n", "--ttl", "nan"), "is no number of seconds"),
        (("lease", "grant", "nan"), "is no number of seconds"),
        (("lease", "keep", "9" * 23), "1<=x<=9223372036854775807"),
        (("lease", "revoke", "9" * 23), "1<=x<=9223372036854775807"),
        (("lease", "show", "9" * 23), "1<=x<=9223372036854775807"),
        (("members", "--config", ""), "empty path"),
        (("start", "--http", "0.0.0.0:80"), "--insecure"),
        (("start", "--bind", "10.1.2.3:7946"), "--insecure"),
        (("start", "--bind", "[::]:7946", "--advertise", "[::1]:7946"), "without a key"),
        (("start", "--bind", "example.org:7946"), "keys generate"),
        (("start", "--http", "127.0.0.1:7946"), "port 7946 is for --bind and for HTTP"),
        (("start", "--http", "localhost:7946"), "port 7946 is for --bind and for HTTP"),
        (("start", "--monitor-port", "7945"), "port 7946 is for --bind and for the console"),
        (("start", "--monitor-port", "7947"), "port 7947 is for HTTP and for the console"),
        (("start", "--bind", "0.0.0.0:7946"), "--advertise"),
        (("start", "--fault-hooks", "--bind", "10.0.0.1:7946"), "fault hooks"),
        (("start", "--bind", "127.0.0.1:65535"), "--http"),
        (("start", "--name", "a\udcff"), r"\xff"),
        (("start", "--name", "a\nb"), "--name"),
        (("start", "--name", "n" * 5_000), "at most 128"),
        (("start", "--tag", "zone=\udcff"), r"\xff"),
        (("start", "--tag", "zone=\x1b[2J"), "--tag"),
        (("start", "--tag", f"zone={'b' * 600}"), "at most 512"),
        (("start", "--data-dir", "\udcff"), "--data-dir"),
        (("members", "--why", "\udcff"), r"\xff"),
        (("force-leave", "\udcff"), r"\xff"),
        (("raft", "remove", "\udcff"), r"\xff"),
        (("raft", "transfer", "\udcff"), r"\xff"),
        (("join", "\udcff:1"), r"\xff"),
        (("actors", "kill", "http"), "NAME@INCARNATION"),
        (("actors", "kill", "http@one"), "NAME@INCARNATION"),
    ],
)
def test_wrong_usage_is_exit_code_2(play: Play, arguments: tuple[str, ...], words: str) -> None:
    """The line says what is wrong and what to write instead."""
    result = play.run(*arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr) < 500
    assert "\x1b" not in result.stderr
    assert not play.addresses


def test_where_settings_come_from(play: Play, tmp_path: Path) -> None:
    """The command line before the environment before the file before the default."""
    file = tmp_path / "q.toml"
    file.write_text('bind = "127.0.0.1:1"\n[client]\naddress = "file:1"\ntimeout = 7\nformat = "json"\n')
    play.answers["members"] = []
    play.run("members")
    play.run("members", "--config", str(file))
    play.run("members", env={"QUORATE_CONFIG": str(file), "QUORATE_ADDRESS": "env:1"})
    play.run("members", "--address", "line:1", "--timeout", "9", env={"QUORATE_ADDRESS": "env:1"})

    assert play.addresses == ["127.0.0.1:7946", "file:1", "env:1", "line:1"]
    assert play.timeouts == [5.0, 7.0, 7.0, 9.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[client]\nadress = 'x:1'\n", "unknown key [client] 'adress': did you mean 'address'?"),
        ("[client]\nbind = 'x:1'\n", "unknown key [client] 'bind'"),
        ("address = 'x:1'\n", "unknown key 'address': for this command it stands under [client]"),
        ("bimd = 'x:1'\n[client]\ntimeout = 1\n", "unknown key 'bimd': did you mean 'bind'?"),
        ("[clients]\naddress = 'x:1'\n", "unknown key 'clients'"),
        ("client = 3\n", "write [client]"),
        ("[client]\naddress = ['x:1']\n", "address takes one value, not a list"),
        ("[client\n", "is not TOML"),
    ],
)
def test_a_file_is_read_strictly(play: Play, tmp_path: Path, content: str, words: str) -> None:
    """A key that no option has is an error that names it, not a setting that silently does nothing."""
    file = tmp_path / "q.toml"
    file.write_text(content)
    result = play.run("members", "--config", str(file))

    assert result.exit_code == 2
    assert words in result.stderr
    assert str(file) in result.stderr


def test_a_file_that_is_not_there(play: Play, tmp_path: Path) -> None:
    """Named, with the reason."""
    result = play.run("members", "--config", str(tmp_path / "none.toml"))

    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


def test_every_command_explains_itself(play: Play) -> None:
    """`--help` works everywhere and lists what there is."""
    shown = play.text("--help")
    for command in ("start", "status", "members", "raft", "kv", "actors", "keys", "cluster", "console", "version"):
        assert f"  {command} " in shown
        assert "Usage:" in play.text(command, "--help")


def test_version(play: Play) -> None:
    """The release, and the parts that matter in a bug report; the same as JSON."""
    lines = play.text("version").splitlines()
    assert [line.split()[0] for line in lines] == ["quorate", "python", "pysyncobj", "pyzmq", "libzmq"]
    assert lines[0].split()[1] == __version__
    assert {"version", "python", "pysyncobj", "libzmq"} <= json.loads(play.text("version", "--format", "json")).keys()


def test_keys(play: Play, tmp_path: Path) -> None:
    """On stdout or into a file of one's own that is never overwritten; a client's file has no server's secret."""
    assert "[server]" in play.text("keys", "generate")
    cluster, client = tmp_path / "cluster.key", tmp_path / "client.key"
    assert "fingerprint" in play.run("keys", "generate", str(cluster)).stderr
    assert cluster.stat().st_mode & 0o777 == 0o600
    assert play.run("keys", "generate", str(cluster)).exit_code == 1
    play.text("keys", "generate", "--client-of", str(cluster), str(client))

    assert client.read_text().count("secret") < cluster.read_text().count("secret")


def test_console_needs_a_console_and_a_terminal(play: Play) -> None:
    """A server without one, a port without one: one line each instead of a hang."""
    play.answers["status"] = {"monitor_port": None}
    off = play.run("console")
    assert (off.exit_code, "--monitor-port" in off.stderr) == (1, True)

    nobody = play.run("console", "--monitor-port", "1")
    assert (nobody.exit_code, "127.0.0.1:1" in nobody.stderr) == (3, True)
