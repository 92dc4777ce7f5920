"""Fixtures of the tests in this folder; what they are is in tests/support."""

from __future__ import annotations

from tests.support.fixtures import cluster, pytest_runtest_makereport, shared

__all__ = ["cluster", "pytest_runtest_makereport", "shared"]
