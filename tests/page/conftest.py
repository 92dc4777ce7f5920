"""Fixtures of the tests in this folder: a browser, and clusters to look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.page.browser import Browser
from tests.support.fixtures import cluster, pytest_runtest_makereport, shared

__all__ = ["browser", "chromium", "cluster", "pytest_runtest_makereport", "shared"]


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests: it takes a second and more to start."""
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, which at the end of every test must have had nothing to say against the page itself."""
    yield chromium
    faults = chromium.faults()
    chromium.forget()
    assert faults == []
