"""Everything at once, from a seed, and every answer held against one order: short runs of `make linearizable`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import main
from tests.chaos.run import FAULTS_FILE, HISTORY_FILE, VERDICT_FILE, Plan, run
from tests.linearizability.checker import Answer, check
from tests.linearizability.history import History
from tests.linearizability.models import Register

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

SECONDS = 5.0
STALE_SECONDS = 1.0


def test_what_clients_were_told_is_linearizable(tmp_path: Path, seed: int) -> None:
    """Servers killed, stopped, cut off; actors killed; leads handed over: no read or write tells of it."""
    account = run(Plan(seed, servers=3, seconds=SECONDS, folder=tmp_path / "run"))

    print(account)
    assert account.held, account
    assert account.strikes.total() > 0
    assert not (tmp_path / "run").exists(), "what held leaves nothing behind"


def test_stale_reads_are_found_out(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The same story with reads that promise less: it fails, says why, and leaves what one needs to look into it."""
    options = ["--rounds", "1", "--servers", "3", "--seconds", str(STALE_SECONDS), "--reads", "stale"]

    code = main([*options, "--seed", str(seed), "--report", str(tmp_path)])

    out = capsys.readouterr().out
    print(out)
    assert code == 1
    assert "NOT LINEARIZABLE" in out.splitlines()[0]
    assert out.splitlines()[-1].startswith("1 run, ")
    assert ": 0 linearizable, 1 not, 0 undecided; 0 with other trouble" in out.splitlines()[-1]
    folder = tmp_path / f"seed-{seed}"
    assert "cannot be ordered" in (folder / VERDICT_FILE).read_text()
    assert "all healed" in (folder / FAULTS_FILE).read_text()
    assert check(History.load(folder / HISTORY_FILE), Register()).answer is Answer.NO
    assert (folder / "cluster" / "s0.log").stat().st_size > 0
