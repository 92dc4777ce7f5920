"""The keys commands: what they ask, how they end, and what is wrong usage (docs/membership-cases.md, S43)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.play import Play
from tests.unit.keyring.made import NEW, OLD
from transport.client.errors import Overloaded, Refused, Unreachable
from transport.keys import client_only, to_text

ADDRESS = "127.0.0.1:7946"


def row(name: str, *holds: str, stage: str = "settled", **changes: Any) -> dict[str, Any]:
    """A member as `keys.list` has it."""
    return {
        "name": name,
        "id": name,
        "address": ADDRESS,
        "status": "alive",
        "holds": list(holds),
        "uses": holds[0] if holds else "",
        "stage": stage,
        "applied": True,
        "error": "",
    } | changes


OLD_ROWS = [row("a", OLD.fingerprint), row("b", OLD.fingerprint)]
USING_ROWS = [row(name, NEW.fingerprint, OLD.fingerprint, stage="using") for name in "ab"]
NEW_ROWS = [row(name, NEW.fingerprint) for name in "ab"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Key files: the old one, the new one, a client's, one that is none, and the name of none."""
    texts = {"old": to_text(OLD), "new": to_text(NEW), "client": client_only(OLD), "broken": "[server]\npublic = 1\n"}
    for name, text in texts.items():
        path = tmp_path / f"{name}.key"
        path.touch(mode=0o600)
        path.write_text(text)
    return {name: str(tmp_path / f"{name}.key") for name in (*texts, "missing")}


def test_list(play: Play) -> None:
    """How many accept each key, and what each member has; nothing is wrong while all have the same."""
    play.answers["keys.list"] = USING_ROWS
    assert play.text("keys", "list").splitlines()[:4] == [
        f"{NEW.fingerprint}  [2/2]  used by 2",
        f"{OLD.fingerprint}  [2/2]  used by 0",
        "",
        "NAME  ADDRESS         STATUS  USES              ACCEPTS                            ERROR",
    ]
    assert json.loads(play.text("keys", "list", "--format", "json")) == USING_ROWS


@pytest.mark.parametrize(
    ("odd", "line"),
    [
        (row("c", error="it does not answer"), "c does not say (it does not answer)"),
        (row("c", OLD.fingerprint), f"c uses {OLD.fingerprint} and accepts {OLD.fingerprint}"),
        (row("c", stage=""), "c uses no key and accepts anybody"),
    ],
)
def test_list_names_who_is_silent_or_differs(play: Play, odd: dict[str, Any], line: str) -> None:
    """The rows are printed all the same, and the exit code is 1."""
    play.answers["keys.list"] = [*USING_ROWS, odd]
    result = play.run("keys", "list")
    assert (result.exit_code, result.stderr) == (1, f"error: {line}\n")
    assert f"{NEW.fingerprint}  [2/3]" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["rotate"],
        ["rotate", "{new}"],
        ["rotate", "{new}", "--finish", "--key", "{old}"],
        ["rotate", "{new}", "--force", "--key", "{old}"],
        ["rotate", "--force", "--key", "{new}"],
        ["rotate", "--finish"],
        ["rotate", "{client}", "--key", "{old}"],
        ["rotate", "{new}", "--key", "{client}"],
        ["rotate", "{broken}", "--key", "{old}"],
        ["rotate", "{new}", "--key", "{missing}"],
        ["list", "{new}"],
        ["remove", "{new}"],
    ],
)
def test_wrong_usage(play: Play, files: dict[str, str], arguments: list[str]) -> None:
    """Exit code 2, and nothing is asked."""
    result = play.run("keys", *(argument.format(**files) for argument in arguments))
    assert result.exit_code == 2
    assert play.asked == []


def test_a_rotation_that_has_been_made(play: Play, files: dict[str, str]) -> None:
    """Nobody is told anything; what comes next is said, or nothing after the end."""
    play.answers["keys.list"] = USING_ROWS
    result = play.run("keys", "rotate", files["new"], "--key", files["old"])
    assert result.exit_code == 0, result.output
    assert "keys rotate --finish" in result.stderr

    play.answers["keys.list"] = NEW_ROWS
    result = play.run("keys", "rotate", files["new"], "--key", files["new"])
    assert result.exit_code == 0
    assert "nothing was changed" in result.stderr
    assert "both keys" not in result.stderr

    result = play.run("keys", "rotate", "--finish", "--key", files["new"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert {op for op, _ in play.asked} == {"keys.list"}


def test_a_refused_step_ends_it(play: Play, files: dict[str, str]) -> None:
    """With who refused and why; the step asked for was the first, with a proof and no secret of the old key."""
    play.answers["keys.list"] = OLD_ROWS
    play.failures = [None, Refused("the disk is full")]
    result = play.run("keys", "rotate", files["new"], "--key", files["old"])
    assert result.exit_code == 1
    assert "a refused: the disk is full" in result.stderr
    op, step = play.asked[-1]
    assert (op, step["member"], step["stage"], step["new"]) == ("keys.step", "a", "installed", to_text(NEW))
    assert OLD.server is not None
    assert OLD.server.secret.decode() not in str(step)


def test_a_passing_trouble_is_waited_out(play: Play, files: dict[str, str]) -> None:
    """A connection that a step has cut, and a server that is busy: asked again."""
    play.answers["keys.list"] = OLD_ROWS
    play.failures = [None, Unreachable("cut"), Overloaded("busy"), None, Refused("enough")]
    result = play.run("keys", "rotate", files["new"], "--key", files["old"])
    assert "a refused: enough" in result.stderr


def test_a_wrong_address_is_known_at_once(play: Play, files: dict[str, str]) -> None:
    """The first question is not asked twice."""
    play.failure = Unreachable("no server")
    result = play.run("keys", "rotate", files["new"], "--key", files["old"])
    assert result.exit_code == 3
    assert len(play.asked) == 1


def test_members_that_are_off_are_named(play: Play, files: dict[str, str]) -> None:
    """They get the key when they come back; before the old one is forgotten they are asked for."""
    off = row("c", status="failed", error="it is failed")
    play.answers["keys.list"] = [*USING_ROWS, off]
    result = play.run("keys", "rotate", files["new"], "--key", files["old"])
    assert result.exit_code == 0
    assert "c is off: it gets the key when it comes back" in result.stderr

    result = play.run("keys", "rotate", "--finish", "--key", files["new"])
    assert result.exit_code == 1
    assert "c may have the old key only" in result.stderr
