"""A configuration file says what an option takes, in TOML's own types, or is refused in one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import serving
from actors.config import NodeConfig
from tests.unit.cli.play import Play


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is taken after all starts nothing."""

    async def run(config: NodeConfig) -> int:
        return 0

    monkeypatch.setattr(serving, "run", run)


def refused(play: Play, file: Path, content: str, *command: str) -> str:
    """The one line that a command ends with, given a file with this content."""
    file.write_text(content)
    result = play.run(*command, "--config", str(file))

    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    start = f"error: {file}: "
    assert line.startswith(start)
    return line.removeprefix(start)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("data-dir = 5", "data-dir takes text, not 5"),
        ("key = 5", "key takes text, not 5"),
        ("http-tokens = 5", "http-tokens takes text, not 5"),
        ("name = 1.5", "name takes text, not 1.5"),
        ("bind = 1979-05-27", "bind takes text, not 1979-05-27"),
        ("profile = true", "profile takes text, not true"),
        ("peer = 5", "peer takes text, not 5"),
        ("peer = ['127.0.0.1:1', 5]", "peer takes text, not 5"),
        ("peer = [['127.0.0.1:1']]", "peer takes text, not a list"),
        ("peer = [{}]", "peer takes text, not a table"),
        ("replay = 5", "replay takes true or false, not 5"),
        ("insecure = 2", "insecure takes true or false, not 2"),
        ("insecure = 'no'", "insecure takes true or false, not the text 'no'"),
        ("fault-hooks = 5", "fault-hooks takes true or false, not 5"),
        ("monitor-port = 1.5", "monitor-port takes a whole number, not 1.5"),
        ("max-voters = true", "max-voters takes a whole number, not true"),
        ("max-voters = '5'", "max-voters takes a whole number, not the text '5'"),
        ("dead-server-timeout = true", "dead-server-timeout takes a number, not true"),
        ("tag.voter = true", "tag.voter takes text or a whole number, not true"),
        ("tag.version = 1.10", "tag.version takes text or a whole number, not 1.1"),
        ("client = 3", "client is a table of options, write [client]"),
    ],
)
def test_a_value_of_another_type(play: Play, tmp_path: Path, content: str, line: str) -> None:
    """It is neither a traceback nor taken for what it is not."""
    assert refused(play, tmp_path / "q.toml", content, "start") == line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("key = 5", "[client] key takes text, not 5"),
        ("timeout = '5'", "[client] timeout takes a number, not the text '5'"),
        ("format = 1", "[client] format takes text, not 1"),
    ],
)
def test_a_value_of_another_type_for_a_client(play: Play, tmp_path: Path, content: str, line: str) -> None:
    """The table is named, too."""
    assert refused(play, tmp_path / "q.toml", f"[client]\n{content}", "status") == line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"dead-server-timeout = 1{'0' * 400}", "dead-server-timeout is too large a number: TOML's have 64 bits"),
        (f"name = 0x1{'0' * 9_000}", "name takes text, not a number"),
        ('key = "a\\u0000b"', r"key has a NUL character in it: 'a\x00b'"),
    ],
)
def test_a_value_that_no_command_line_can_have(play: Play, tmp_path: Path, content: str, line: str) -> None:
    """What Python's reader takes and nothing behind it expects."""
    assert refused(play, tmp_path / "q.toml", content, "start") == line


def test_hidden_options_are_not_offered(play: Play, tmp_path: Path) -> None:
    """A key that is like no other is answered with what `--help` shows; one that tests set goes on being known."""
    known = refused(play, tmp_path / "q.toml", "zzz = 1", "start")

    assert known.startswith("unknown key 'zzz': known are advertise, app, ")
    assert "fault-hooks" not in known
    assert "fault-hooks" not in refused(play, tmp_path / "q.toml", "zzz = 1", "status")
    assert "fault-hooks" not in refused(play, tmp_path / "q.toml", "fault-hook = 1", "start")
