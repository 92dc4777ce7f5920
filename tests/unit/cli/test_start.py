"""`start`: every option reaches the configuration, from the command line, the environment and a file; logs."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from actors import serving
from actors.config import ConfigError, NodeConfig
from commands import start as start_module
from commands.logs import JsonFormatter, TextFormatter, configure_logs
from tests.unit.cli.play import Play
from transport.errors import LinkError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[NodeConfig]:
    """The configurations of servers that would have run."""
    configs: list[NodeConfig] = []

    async def run(config: NodeConfig) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(serving, "run", run)
    monkeypatch.setattr(start_module, "configure_logs", lambda level, form: None)
    return configs


EVERYTHING = NodeConfig(
    data_dir=Path("d1"),
    name="one",
    bind="127.0.0.1:17946",
    advertise="127.0.0.2:17946",
    peers=("127.0.0.1:1", "127.0.0.1:2"),
    key_file=Path("k"),
    insecure=True,
    http="off",
    monitor_port=20_101,
    tags={"zone": "b", "rack": "7"},
    profile="wan",
    bootstrap_expect=3,
    max_voters=3,
    min_voters=2,
    dead_server_timeout=600.0,
    log_level="debug",
    log_format="json",
    app="examples.counter:Counter",
)


def test_every_option_on_the_command_line(play: Play, started: list[NodeConfig]) -> None:
    """What is typed is what the server is told."""
    play.text(
        "start", "--data-dir", "d1", "--name", "one", "--bind", "127.0.0.1:17946", "--advertise", "127.0.0.2:17946",
        "--peer", "127.0.0.1:1", "--peer", "127.0.0.1:2", "--key", "k", "--insecure", "--http", "off",
        "--monitor-port", "20101", "--tag", "zone=b", "--tag", "rack=7", "--profile", "wan", "--max-voters", "3",
        "--bootstrap-expect", "3", "--min-voters", "2", "--dead-server-timeout", "600",
        "--log-level", "debug", "--log-format", "json", "--app", "examples.counter:Counter",
    )  # fmt: skip

    assert started == [EVERYTHING]


def test_every_option_in_a_file(play: Play, started: list[NodeConfig], tmp_path: Path) -> None:
    """The keys are the long options; tags are a table; the table of the other commands is left alone."""
    file = tmp_path / "q.toml"
    file.write_text(
        """
        data-dir = "d1"
        name = "one"
        bind = "127.0.0.1:17946"
        advertise = "127.0.0.2:17946"
        peer = ["127.0.0.1:1", "127.0.0.1:2"]
        key = "k"
        insecure = true
        http = "off"
        monitor-port = 20101
        profile = "wan"
        bootstrap-expect = 3
        max-voters = 3
        min-voters = 2
        dead-server-timeout = 600
        log-level = "debug"
        log-format = "json"
        app = "examples.counter:Counter"
        [tag]
        zone = "b"
        rack = 7
        [client]
        timeout = 9
        """
    )
    play.text("start", "--config", str(file))

    assert started == [EVERYTHING]


def test_every_option_in_the_environment(play: Play, started: list[NodeConfig]) -> None:
    """QUORATE_ and the option's name; what may be given several times is separated by blanks."""
    environment = {
        "QUORATE_DATA_DIR": "d1",
        "QUORATE_NAME": "one",
        "QUORATE_BIND": "127.0.0.1:17946",
        "QUORATE_ADVERTISE": "127.0.0.2:17946",
        "QUORATE_PEER": "127.0.0.1:1 127.0.0.1:2",
        "QUORATE_KEY": "k",
        "QUORATE_INSECURE": "1",
        "QUORATE_HTTP": "off",
        "QUORATE_MONITOR_PORT": "20101",
        "QUORATE_TAG": "zone=b rack=7",
        "QUORATE_PROFILE": "wan",
        "QUORATE_BOOTSTRAP_EXPECT": "3",
        "QUORATE_MAX_VOTERS": "3",
        "QUORATE_MIN_VOTERS": "2",
        "QUORATE_DEAD_SERVER_TIMEOUT": "600",
        "QUORATE_LOG_LEVEL": "debug",
        "QUORATE_LOG_FORMAT": "json",
        "QUORATE_APP": "examples.counter:Counter",
    }
    assert play.run("start", env=environment).exit_code == 0

    assert started == [EVERYTHING]


def test_the_defaults(play: Play, started: list[NodeConfig]) -> None:
    """No option is needed to start a first server."""
    play.text("start")

    assert started == [NodeConfig(data_dir=Path("quorate-data"))]


def test_one_value_in_a_file_is_a_list_of_one(play: Play, started: list[NodeConfig], tmp_path: Path) -> None:
    """`peer = "…"` means what it says."""
    file = tmp_path / "q.toml"
    file.write_text('peer = "127.0.0.1:1"\n')
    play.text("start", "--config", str(file))

    assert started[0].peers == ("127.0.0.1:1",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("bnd = 1\n", "unknown key 'bnd': did you mean 'bind'?"),
        ("data_dir = 'x'\n", "did you mean 'data-dir'"),
        ("[bind]\nhost = 'x'\n", "bind takes one value"),
        ("profile = 'moon'\n", "moon"),
        ("max-voters = 'many'\n", "many"),
    ],
)
def test_a_file_is_read_strictly(play: Play, tmp_path: Path, content: str, words: str) -> None:
    """Wrong keys and wrong values are wrong usage, and named."""
    file = tmp_path / "q.toml"
    file.write_text(content)
    result = play.run("start", "--config", str(file))

    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("exit_code", [0, 70])
def test_the_servers_exit_code_is_the_commands(play: Play, monkeypatch: pytest.MonkeyPatch, exit_code: int) -> None:
    """A server that gave up ends with 70."""

    async def run(config: NodeConfig) -> int:
        return exit_code

    monkeypatch.setattr(serving, "run", run)
    monkeypatch.setattr(start_module, "configure_logs", lambda level, form: None)

    assert play.run("start").exit_code == exit_code


def test_a_server_that_cannot_start_says_why(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, no traceback."""

    async def run(config: NodeConfig) -> int:
        raise LinkError("address 127.0.0.1:7946 is in use")

    monkeypatch.setattr(serving, "run", run)
    monkeypatch.setattr(start_module, "configure_logs", lambda level, form: None)
    result = play.run("start")

    assert (result.exit_code, result.stderr) == (1, "error: address 127.0.0.1:7946 is in use\n")


def test_json_logs() -> None:
    """One object a line, whatever is in the message; a traceback is part of it."""
    try:
        raise ValueError("x")
    except ValueError as error:
        record = logging.LogRecord("quorate.raft", logging.INFO, "", 0, "two\nlines %s", ("ü",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(record)

    entry = json.loads(line)
    assert "\n" not in line
    assert (entry["level"], entry["logger"], entry["message"]) == ("info", "quorate.raft", "two\nlines ü")
    assert entry["time"].endswith("+00:00")
    assert "ValueError: x" in entry["traceback"]


def test_text_logs_cannot_be_forged() -> None:
    """What a peer or a client chose neither begins a line of its own nor moves the cursor."""
    record = logging.LogRecord("quorate.gossip", logging.INFO, "", 0, "met %s", ("a\x1b[2J\n12:00:00 forged",), None)

    first, second = TextFormatter().format(record).split("\n")
    assert first.endswith(r"met a\x1b[2J")
    assert second == "  12:00:00 forged"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_level_is_for_quorate_alone(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Debug lines of other libraries stay out; their warnings do not."""
    before = logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("quorate").level
    try:
        configure_logs("debug", form)
        logging.getLogger("quorate.test").debug("ours")
        logging.getLogger("other").info("theirs")
        logging.getLogger("other").warning("their warning")
        said = capsys.readouterr().err
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = before[:2]
        logging.getLogger("quorate").setLevel(before[2])

    assert [word in said for word in ("ours", "theirs", "their warning")] == [True, False, True]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dead-server-timeout", "nan"), "--dead-server-timeout must be 0 (never) or more"),
        (("--dead-server-timeout", "-1"), "--dead-server-timeout"),
        (("--min-voters", "0"), "--min-voters"),
        (("--min-voters", "6"), "--min-voters 6 is above --max-voters 5"),
        (("--min-voters", "2", "--max-voters", "1"), "--min-voters 2 is above --max-voters 1"),
        (("--bootstrap-expect", "3"), "a --peer for each of the other 2 servers, not for 0"),
        (("--bootstrap-expect", "2", "--bind", "127.0.0.1:7", "--peer", "localhost:7"), "not for 0"),
        (("--bootstrap-expect", "1", "--peer", "127.0.0.1:1"), "leave --peer out"),
        (("--bootstrap-expect", "65"), "--bootstrap-expect"),
    ],
)
def test_a_cluster_that_could_not_be_kept_or_started(
    play: Play, started: list[NodeConfig], options: tuple[str, ...], words: str
) -> None:
    """It is wrong usage, and said in a line."""
    result = play.run("start", *options)

    assert (result.exit_code, started) == (2, [])
    assert words in result.stderr


def test_voters_and_peers_that_can_be() -> None:
    """--max-voters alone may be below the default of --min-voters; with too many peers one may still join by them."""
    NodeConfig("d", max_voters=1).check()
    NodeConfig("d", bind="127.0.0.1:1", bootstrap_expect=2, peers=("127.0.0.1:1", "localhost:2", "127.0.0.1:2")).check()
    NodeConfig("d", bind="127.0.0.1:1", bootstrap_expect=2, peers=("10.0.0.1:1", "10.0.0.2:1")).check()


@pytest.mark.parametrize("tags", [{"a": 3}, {3: "a"}, {"a": None}, {"a": b"b"}])
def test_tags_that_are_no_texts(tags: Any) -> None:
    """A program's mistake is said in one line."""
    with pytest.raises(ConfigError, match=r"--tag: tag '.*' is not made of two texts"):
        NodeConfig("d", tags=tags).check()
