"""A small store for the tests beside it."""

from __future__ import annotations

import pytest

from storage.kv import KeyValueStore
from storage.kv_protocol import put


@pytest.fixture
def store() -> KeyValueStore:
    """A store with one key, changed twice."""
    made = KeyValueStore()
    made.apply(put("k", b"1"))
    made.apply(put("k", b"2"))
    return made
