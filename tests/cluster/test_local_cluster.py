"""`cluster up|status|kill|pause|resume|partition|heal|down`, as a user types them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.blocks import PortBlock
from tests.support.command import Outcome, run
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

Do = Callable[..., Outcome]


@pytest.fixture
def ports() -> Iterator[int]:
    """The first of a hundred free ports."""
    block = PortBlock()
    yield block.first
    block.close()


@pytest.fixture
def do(tmp_path: Path) -> Iterator[Do]:
    """Runs `cluster COMMAND …` on a folder of this test's own, and stops its servers at the end."""
    folder = tmp_path / "local"

    def command(*arguments: str) -> Outcome:
        return run("cluster", *arguments, "--data-dir", str(folder))

    yield command
    if folder.exists():
        command("down")


def rows(do: Do) -> list[dict[str, object]]:
    """The servers as `cluster status` has them."""
    found: list[dict[str, object]] = do("status", "--format", "json").json
    return found


def test_a_users_afternoon(do: Do, ports: int) -> None:
    """Up, a look, a kill, up again, a pause, a partition, down: each does what it says, and says what it did."""
    up = do("up", "3", "--base-port", str(ports))
    assert up.code == 0, up
    assert "server-2" in up.out
    assert "waiting: " in up.err, "what is missing is shown"
    assert [row["state"] for row in rows(do)] == ["running"] * 3
    assert sorted(str(row["role"]) for row in rows(do)) == ["follower", "follower", "leader"]
    address = f"127.0.0.1:{ports + 10}"
    assert run("kv", "put", "k", "v", "--address", address).code == 0

    assert do("kill", "0").code == 0
    assert [row["state"] for row in rows(do)] == ["stopped", "running", "running"]
    again = do("kill", "server-0")
    assert again.code == 1
    assert "cluster up 3" in again.error
    assert do("up", "3").code == 0
    assert run("kv", "get", "k", "--address", f"127.0.0.1:{ports}").out == "v"

    assert do("pause", "1").code == 0
    wait_until("it is paused", lambda: rows(do)[1]["state"] == "paused")
    assert do("resume", "1").code == 0
    assert do("up", "3").code == 0, "everything runs: it waits until they agree"

    assert do("down").code == 0
    assert [row["state"] for row in rows(do)] == ["stopped"] * 3
    assert run("status", "--address", address).code == 3


def test_partition_and_heal(do: Do, ports: int) -> None:
    """A leader cut off from both others steps down; healed, all agree again. One way cuts one way."""
    assert do("up", "3", "--base-port", str(ports)).code == 0
    old = next(row for row in rows(do) if row["role"] == "leader")
    others = "+".join(str(row["index"]) for row in rows(do) if row is not old and row["index"] != old["index"])

    assert do("partition", f"{old['index']},{others}").code == 0

    def deposed() -> bool:
        now = rows(do)
        return now[int(str(old["index"]))]["role"] != "leader" and any(row["role"] == "leader" for row in now)

    wait_until("another server leads", deposed)
    assert do("heal").code == 0
    assert do("up", "3").code == 0
    assert do("partition", "0,1", "--one-way").code == 0
    assert do("heal").code == 0
    wrong = do("partition", "0")
    assert wrong.code == 2
    assert "A,B" in wrong.err


def test_what_is_wrong_is_said(do: Do, ports: int, tmp_path: Path) -> None:
    """No cluster, a taken port, an unknown server, other options: one line each, and nothing was started."""
    nothing = do("status")
    assert nothing.code == 1
    assert "cluster up" in nothing.error
    assert do("up", "1", "--base-port", str(ports)).code == 0
    other = tmp_path / "other"
    taken = run("cluster", "up", "2", "--base-port", str(ports - 10), "--data-dir", str(other))
    assert taken.code == 1
    assert str(ports) in taken.error
    assert "--base-port" in taken.error
    assert not list(other.glob("server-*"))
    unknown = do("kill", "7")
    assert unknown.code == 1
    assert "7" in unknown.error
    changed = do("up", "1", "--base-port", str(ports + 10))
    assert changed.code == 1
    assert changed.error
