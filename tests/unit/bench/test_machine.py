"""Which commit a result is of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.machine import commit

COMMIT = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "commit", "-qm", "first")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_results_of_runs_before_do_not_make_a_checkout_dirty(tmp_path: Path) -> None:
    """`make bench` and then `make failover` measure the same commit; a change of the code is another matter."""
    (tmp_path / "docs").mkdir()
    files = [tmp_path / name for name in ("docs/benchmarks.json", "README.md", "cli.py")]
    for file in files:
        file.write_text("first")
    for arguments in (("init", "-q"), ("add", "."), COMMIT):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    clean = commit(tmp_path)
    assert clean

    for file in files[:2]:
        file.write_text("second")
    (tmp_path / "docs/failover.json").write_text("first")
    assert commit(tmp_path) == clean

    files[2].write_text("second")
    assert commit(tmp_path) == f"{clean}-dirty"
