"""Failovers as figures, and where they are shown."""

from __future__ import annotations

from pathlib import Path

from bench.failover_pages import BEGIN, END, RESULT, of_the_readme, read, write
from bench.failover_report import FailoverResult
from bench.machine import Machine

FAILOVERS = FailoverResult(
    began="2026-01-01T00:00:00+00:00",
    machine=Machine("cpu", 2, 8, "6.1", "ext4", 0.1, 0.0, "3.11", "0", "abc", "0.3.17"),
    etcd="3.4.23",
    seed=1,
    seconds={
        "kill": {"Quorate": [0.1, 0.05, 0.2], "etcd": [1.0, 1.1, 3.0]},
        "pause": {"Quorate": [0.5, 0.7, 0.9], "etcd": [1.0, 1.3, 2.0]},
    },
)


def test_failovers_are_shown_with_the_run_they_are_of() -> None:
    """Commit, time, machine and runs; of each system the median, the least and the most."""
    text = of_the_readme(FAILOVERS)
    assert text.startswith("Quorate 0 (abc), etcd 3.4.23, Python 3.11; 2026-01-01T00:00:00+00:00. cpu, 2 cores, 8 GB")
    assert " 3 runs of each, in turns: median (least to most).\n\n" in text
    assert "| SIGKILL of the leader | 0.10 (0.05 to 0.20) | 1.10 (1.00 to 3.00) |\n" in text
    assert "| SIGSTOP of the leader | 0.70 (0.50 to 0.90) | 1.30 (1.00 to 2.00) |" in text


def test_a_result_is_kept_and_changes_the_readme_beside_its_folder(tmp_path: Path) -> None:
    """Between the two comments, and nothing else."""
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    write(FAILOVERS, tmp_path / "docs")
    assert read(tmp_path / "docs") == FAILOVERS
    assert readme.read_text() == f"above\n{BEGIN}\n{of_the_readme(FAILOVERS)}\n{END}\nbelow\n"


def test_a_result_elsewhere_is_kept_alone(tmp_path: Path) -> None:
    """A run that is not to be published has no README beside it."""
    write(FAILOVERS, tmp_path / "tried")
    assert [path.name for path in tmp_path.rglob("*.*")] == [RESULT]
