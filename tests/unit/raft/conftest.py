"""What the tests of Raft share: an engine that reads no clock."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest


@pytest.fixture(autouse=True)
def stopped_clock() -> Iterator[None]:
    """The engine's own clock stands still: nothing may depend on it."""
    with mock.patch("pysyncobj.syncobj.monotonicTime", return_value=50.0):
        yield
