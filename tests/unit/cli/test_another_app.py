"""The commands of the key-value store on servers that run another state machine: one line, and no traceback."""

from __future__ import annotations

import pytest

from tests.unit.cli.play import Play


class Foreign:
    """A state machine whose answers are none of the store's."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def apply(self, command: bytes) -> bytes:
        return self.answer

    def read(self, query: bytes) -> bytes:
        return self.answer


@pytest.mark.parametrize("answer", [b"", b"5", b"error: no number", b"\x93\xa5found\xa1k\x00"])
@pytest.mark.parametrize(
    "line",
    [
        "kv put k v",
        "kv get k",
        "kv get k --consistency stale",
        "kv list",
        "kv delete k",
        "kv cas k a b",
        "lease grant 5",
    ],
)
def test_a_store_that_is_none(play: Play, answer: bytes, line: str) -> None:
    """The line says where to look."""
    play.store = Foreign(answer)  # type: ignore[assignment]
    result = play.run(*line.split())

    assert result.exit_code == 1, result.exception
    assert "the servers run another state machine than the key-value store: `info` names their app" in result.stderr
