"""`debug bundle` where no cluster is needed: where the archive goes."""

from __future__ import annotations

import sys
import tarfile
from io import BytesIO
from pathlib import Path

import click
import pytest

from commands.debug import OPERATIONS
from commands.paths import OUTPUT
from tests.unit.cli.play import Play


def test_a_bundle_into_a_pipe(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `backup -`: the archive alone is on stdout, what is said of it on stderr, and no file is made."""
    monkeypatch.chdir(tmp_path)
    play.answers = {name: {} for name in OPERATIONS} | {
        "status": {"node": "one", "id": "0123456789abcdef"},
        "members": [],
        "monitor": {"entries": [], "cursor": ""},
    }

    result = play.run("debug", "bundle", "-")

    assert (result.exit_code, result.stderr) == (0, "-: 1 server, 1 of them whole\n")
    with tarfile.open(fileobj=BytesIO(result.stdout_bytes)) as archive:
        assert "quorate-debug/one-01234567/status.json" in archive.getnames()
    assert list(tmp_path.iterdir()) == []


def test_who_lives_at_a_dead_members_address_does_not_answer_for_it(play: Play, tmp_path: Path) -> None:
    """Its answers are in the bundle once, under its own name."""
    dead = {"name": "old", "id": "fedcba9876543210", "address": "127.0.0.1:1", "status": "failed"}
    play.answers = {name: {} for name in OPERATIONS} | {
        "status": {"node": "one", "id": "0123456789abcdef"},
        "members": [dead],
        "monitor": {"entries": [], "cursor": ""},
    }
    file = tmp_path / "b.tar.gz"

    result = play.run("debug", "bundle", str(file))

    assert result.stdout == f"{file}: 2 servers, 1 of them whole\n"
    with tarfile.open(file) as archive:
        assert [name for name in archive.getnames() if "old" in name] == ["quorate-debug/old-fedcba98/errors.json"]
        errors = archive.extractfile("quorate-debug/old-fedcba98/errors.json")
        assert errors is not None
        assert b"one (0123456789abcdef) lives at 127.0.0.1:1 now" in errors.read()


def test_bytes_are_not_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a backup nor a bundle."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert OUTPUT.convert("-", None, None) == "-"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    with pytest.raises(click.BadParameter, match="not for a terminal"):
        OUTPUT.convert("-", None, None)
