"""The examples run by one command each, end by themselves, and say what happened."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.project.sources import ROOT

RUN_TIMEOUT_S = 50

SHOP = """\
shop 0: {'apples': 1}
shop 0: {'apples': 2}
shop 0: {'apples': 2, 'bread': 1}
shop 0 is killed
shop 1: {'apples': 2, 'bread': 1}
shop 2: {'apples': 2, 'bread': 1, 'cheese': 1}
shop 0 is started again
shop 0: {'apples': 2, 'bread': 1, 'cheese': 1}
"""


def said(example: str, folder: Path) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{example}.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.cluster
def test_the_counter_service_counts_each_once(tmp_path: Path) -> None:
    """Three servers, the leader killed in the midst of four clients' counting."""
    text = said("counter_service", tmp_path)

    assert "killed the leader" in text
    assert text.endswith("the two that are left say 200: every count once\n")


@pytest.mark.cluster
def test_the_scheduler_does_each_job_once(tmp_path: Path) -> None:
    """The leader is stopped, another takes over with a higher token, and no job is done by both."""
    text = said("scheduler", tmp_path)

    first, second = re.findall(r"^ +(\d+) done by (\w+) with token (\d+)$", text, re.MULTILINE)
    assert int(first[0]) + int(second[0]) == 12
    assert first[1] != second[1]
    assert int(first[2]) < int(second[2])
    assert f"{first[1]} leads no more" in text


@pytest.mark.cluster
def test_the_carts_of_the_shop_survive_a_server(tmp_path: Path) -> None:
    """What one shop was told the others know when it is killed, and it knows what they were told when it is back."""
    assert said("shop", tmp_path) == SHOP
