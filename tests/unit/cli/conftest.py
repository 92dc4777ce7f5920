"""What the tests of the command line share."""

from __future__ import annotations

import os

import pytest

from tests.unit.cli.play import Play, PlayedClient
from transport.client import sync_client


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Commands talk to a played server, and see no settings of whoever runs the tests."""
    played = Play()

    def connect(address: str, *, key: object = None, timeout_s: float = 5.0) -> PlayedClient:
        return PlayedClient(played, address, timeout_s)

    for name in [name for name in os.environ if name.startswith("QUORATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sync_client, "SyncClient", connect)
    return played
