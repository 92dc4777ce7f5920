"""The look at a list of the batch's keys sees one that was torn."""

from __future__ import annotations

import pytest

from storage.kv_protocol import Found
from tests.chaos.batches import BATCH, TornBatchError, check_whole


def batch(*values: str, revisions: tuple[int, ...] = (7, 7, 7)) -> list[Found]:
    """Some of the keys, as they are listed."""
    return [Found(key, value.encode(), at) for key, value, at in zip(BATCH, values, revisions, strict=False)]


def test_none_and_all_are_whole() -> None:
    """Nobody has written it yet, or somebody has."""
    check_whole([])
    check_whole(batch("a", "a", "a"))


@pytest.mark.parametrize(
    "items",
    [batch("a"), batch("a", "a"), batch("a", "a", "b"), batch("a", "a", "a", revisions=(7, 7, 8))],
    ids=["one key", "one missing", "two values", "two changes"],
)
def test_a_torn_batch_is_seen(items: list[Found]) -> None:
    """A key is missing, or has another value, or has it from another change."""
    with pytest.raises(TornBatchError):
        check_whole(items)
