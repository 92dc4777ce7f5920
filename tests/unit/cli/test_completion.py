"""Completion: the scripts are click's, for the name that is typed, and what they ask is answered."""

from __future__ import annotations

import pytest

from tests.support.command import run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    """It names the command and the variable by which the shell asks."""
    outcome = run("completion", shell, "--name", "quorate")
    assert outcome.code == 0
    assert "_QUORATE_COMPLETE" in outcome.out
    assert "quorate" in outcome.out


def test_a_shell_gets_commands_and_options() -> None:
    """As the scripts ask; commands are imported when they are needed, and completed all the same."""
    asked = {"_CLI_PY_COMPLETE": "fish_complete", "COMP_WORDS": "cli.py kv ", "COMP_CWORD": ""}
    assert "plain,put" in "".join(run(env=asked).out)
    asked |= {"COMP_WORDS": "cli.py rest", "COMP_CWORD": "rest"}
    assert "plain,restore" in run(env=asked).out


def test_what_a_usage_error_says_to_try_can_be_pasted() -> None:
    """`cli.py` alone is no command that a shell finds."""
    assert "Try 'python cli.py kv put --help' for help." in run("kv", "put").err
    assert "'python cli.py --help' lists them" in run("xyzzy").err


def test_another_shell_is_wrong_usage() -> None:
    """Exit code 2, and which there are."""
    outcome = run("completion", "tcsh")
    assert (outcome.code, "fish" in outcome.err) == (2, True)
