"""Clients that write several registers at once, and list them: a batch is one change, for all keys or for none.

What lives here: the two operations, what is recorded of them, and the look at a list. What does not: who calls them and
when (registers.py).

Every key of the batch is a register, so the checker judges each by itself. That they change together is seen by whoever
lists them: nobody writes one alone, so at any moment all of them have one value, made at one revision.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from quorate.client import Client

if TYPE_CHECKING:
    from storage.kv_protocol import Found
    from tests.chaos.doors import Consistency
    from tests.linearizability.recorder import Recorder

PREFIX = "batch/"
BATCH = tuple(f"{PREFIX}{number}" for number in range(3))


class TornBatchError(AssertionError):
    """Somebody saw a batch half made."""


async def write_batch(name: str, client: Client, recorder: Recorder, value: str) -> None:
    """Give all keys of the batch a value. Raises ClientError."""
    with ExitStack() as stack:
        for key in BATCH:
            stack.enter_context(recorder.operation(name, key, "write", value))
        await client.kv.put_many(dict.fromkeys(BATCH, value))


async def read_batch(name: str, client: Client, recorder: Recorder, reads: Consistency) -> None:
    """List the batch, and look at it. Raises ClientError, and TornBatchError."""
    with ExitStack() as stack:
        operations = {key: stack.enter_context(recorder.operation(name, key, "read")) for key in BATCH}
        kv = client.kv
        page = await kv.list(PREFIX) if reads == "linearizable" else (await kv.list_stale(PREFIX)).answer
        found = {item.key: item.value.decode() for item in page.items}
        for key, operation in operations.items():
            operation.result = found.get(key)
    check_whole(page.items)


def check_whole(items: Iterable[Found]) -> None:
    """Raise TornBatchError unless all keys of the batch were set by one change, or none is there."""
    items = list(items)
    keys, changes = {item.key for item in items}, {(item.revision, item.value) for item in items}
    if items and (keys != set(BATCH) or len(changes) > 1):
        raise TornBatchError(f"a batch of {len(BATCH)} keys was seen as {items}")
