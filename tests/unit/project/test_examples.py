"""The examples run by one command each, end by themselves, and say what happened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ports import free_ports
from tests.unit.project.running import file_said, said
from tests.unit.project.sources import ROOT

EXAMPLES = ROOT / "examples"

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


def test_the_counter_counts_and_remembers(tmp_path: Path) -> None:
    """A server with a state machine of its own, which finds its state again."""
    counter = (EXAMPLES / "counter.py").read_text("utf-8").replace("7976", str(free_ports(1)))

    assert said(counter, tmp_path) == "after a write: 7\nread back: 7\n"
    assert said(counter, tmp_path) == "after a write: 14\nread back: 14\n"


@pytest.mark.cluster
def test_the_counter_service_counts_each_once(tmp_path: Path) -> None:
    """Three servers, the leader killed in the midst of four clients' counting."""
    text = file_said(EXAMPLES / "counter_service.py", tmp_path)

    assert "killed the leader" in text
    assert text.endswith("the two that are left say 200: every count once\n")


@pytest.mark.cluster
def test_the_scheduler_does_each_job_once(tmp_path: Path) -> None:
    """The leader is stopped, another takes over with a higher token, and no job is done by both."""
    text = file_said(EXAMPLES / "scheduler.py", tmp_path)

    first, second = re.findall(r"^ +(\d+) done by (\w+) with token (\d+)$", text, re.MULTILINE)
    assert int(first[0]) + int(second[0]) == 12
    assert first[1] != second[1]
    assert int(first[2]) < int(second[2])
    assert f"{first[1]} leads no more" in text


@pytest.mark.cluster
def test_the_carts_of_the_shop_survive_a_server(tmp_path: Path) -> None:
    """What one shop was told the others know when it is killed, and it knows what they were told when it is back."""
    assert file_said(EXAMPLES / "shop.py", tmp_path) == SHOP
