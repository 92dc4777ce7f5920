"""The programs of docs/quickstart.md run against a server, as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.unit.project.running import said
from tests.unit.project.test_docs import programs

pytestmark = pytest.mark.cluster


def test_the_clients_of_the_quick_start(cluster: Cluster, tmp_path: Path) -> None:
    """Both of them."""
    server = cluster.add()
    server.start()
    cluster.agree()
    first, second = (program.replace("127.0.0.1:7946", server.address) for program in programs("docs/quickstart.md"))

    assert said(first, tmp_path) == "hello\n"
    assert said(second, tmp_path) == "True\n['greeting']\n"
