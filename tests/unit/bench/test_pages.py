"""The pages show what the kept results say."""

from __future__ import annotations

import msgspec
import pytest

from bench import failover_pages, pages, serf_pages
from bench.report import Result
from tests.unit.project.sources import ROOT

DOCS = ROOT / "docs"
COMPARED = msgspec.json.decode((DOCS / pages.RESULT).read_bytes(), type=Result)
MEMBERSHIP = serf_pages.read(DOCS)
FAILOVERS = failover_pages.read(DOCS)


@pytest.mark.parametrize(
    ("page", "begin", "end", "figures"),
    [
        ("docs/benchmarks.md", pages.BEGIN, pages.END, pages.of_the_page(COMPARED)),
        ("README.md", pages.BEGIN, pages.END, pages.of_the_readme(COMPARED)),
        ("docs/membership.md", serf_pages.BEGIN, serf_pages.END, serf_pages.of_the_page(MEMBERSHIP)),
        ("README.md", serf_pages.BEGIN, serf_pages.END, serf_pages.of_the_readme(MEMBERSHIP)),
        ("README.md", failover_pages.BEGIN, failover_pages.END, failover_pages.of_the_readme(FAILOVERS)),
    ],
)
def test_a_page_shows_what_the_kept_result_says(page: str, begin: str, end: str, figures: str) -> None:
    """It has a place for figures, and to make them anew changes none: no figure is by hand, or of another run."""
    text = (ROOT / page).read_text("utf-8")
    assert pages.between(begin, end, text, figures) == text
