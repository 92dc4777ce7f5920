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


def test_bytes_are_not_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a backup nor a bundle."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert OUTPUT.convert("-", None, None) == "-"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    with pytest.raises(click.BadParameter, match="not for a terminal"):
        OUTPUT.convert("-", None, None)
