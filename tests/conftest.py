"""What every test shares: Hypothesis without surprises, and one seed a test can print and be re-run with."""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import settings

# A test run says the same thing twice: examples are derived from the test itself, and a slow machine is no failure.
settings.register_profile("quorate", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("quorate")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A fresh seed, or that of QUORATE_SEED; pytest shows the line that replays it when the test fails."""
    chosen = int(os.environ.get("QUORATE_SEED") or secrets.randbits(32))
    print(f"replay with: QUORATE_SEED={chosen} python -m pytest '{request.node.nodeid}'")
    return chosen
