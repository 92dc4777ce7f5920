"""What tests of real processes share: clusters that end with the test, and their logs in the report of a failure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster

MakeCluster = Callable[..., Cluster]

_alive: list[Cluster] = []


def made(folder: Path, key: Path | None = None) -> Iterator[Cluster]:
    """A cluster without servers yet, ended afterwards."""
    cluster = Cluster(folder, key=key)
    _alive.append(cluster)
    try:
        yield cluster
    finally:
        cluster.close()
        _alive.remove(cluster)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of this test's own, without servers yet."""
    yield from made(tmp_path / "cluster")


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three servers for tests that leave them as they were: all three running, nothing cut."""
    for cluster in made(tmp_path_factory.mktemp("shared") / "cluster"):
        yield cluster.form(3)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the servers' logs with a failure."""
    report = yield
    if report.failed:
        for cluster in _alive:
            report.sections.extend(cluster.tails())
    return report
