"""The reference in docs/ says what the commands, routes and metrics say, no more and no less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.gateway.metrics import reference as metrics_reference
from commands.config_file import CLIENT_TABLE, defaults
from commands.server import COMMANDS
from commands.start import start
from scripts.http_reference import http_reference
from scripts.reference import CONFIG_HEAD, cli_reference, config_reference
from tests.unit.project.sources import ROOT


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("reference-cli", cli_reference),
        ("reference-config", config_reference),
        ("reference-http", http_reference),
        ("metrics", metrics_reference),
    ],
)
def test_the_reference_is_up_to_date(file: str, made: Callable[[], str]) -> None:
    """Whoever changes a command, a route or a metric makes it anew."""
    written = (ROOT / "docs" / f"{file}.md").read_text("utf-8")

    assert written == made(), "run: make reference"


def test_the_reference_has_every_command_and_key() -> None:
    """Some of each, by name, in case the maker forgets a kind of them."""
    cli, config = cli_reference(), config_reference()

    assert all(f"`{name}`\n" in cli for name in ("start", "members", "kv put", "raft peers", "cluster up", "lock"))
    assert all(f"| `{key}` |" in config for key in ("data-dir", "app", "tag", "timeout"))
    assert "fault-hooks" not in cli + config


def test_the_file_of_the_reference_is_understood(tmp_path: Path) -> None:
    """The example has no key that would be refused, neither by `start` nor by a command for a server."""
    file = tmp_path / "quorate.toml"
    file.write_text(CONFIG_HEAD.split("```toml\n")[1].split("```")[0])

    assert defaults(start, file, "")["tags"] == ["zone=b"]
    assert defaults(COMMANDS["status"], file, CLIENT_TABLE)["address"] == "10.0.0.1:7946"
