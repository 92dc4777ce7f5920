"""`lock` and `elect` where no cluster is needed: what is said of a lock that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from commands import locks
from commands.locks import LockLostError
from commands.options import Remote
from quorate import LeaseLost

Taking = Callable[..., AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def lost_at_work(_name: str, **_: Any) -> AsyncIterator[Any]:
    """A lock that is lost once its holder waits for something."""
    holder = asyncio.current_task()
    assert holder is not None
    asyncio.get_running_loop().call_soon(holder.cancel)
    try:
        yield SimpleNamespace(key="lock/n/1", token=7)
    except asyncio.CancelledError:
        holder.uncancel()
        raise LeaseLost("lease 1 has ended") from None


def lost_in_the_queue(_name: str, **_: Any) -> NoReturn:
    """A lock that is lost before it was got."""
    raise LeaseLost("lease 1 has ended")


def server(lock: Taking) -> Remote:
    """One whose clients' locks are such."""

    @asynccontextmanager
    async def client() -> AsyncIterator[Any]:
        yield SimpleNamespace(lock=lock)

    return cast("Remote", SimpleNamespace(lasting_client=client, show=lambda *_: None))


@pytest.mark.parametrize(
    ("lock", "command", "said"),
    [
        (lost_at_work, ("sleep", "600"), "lock n was lost, and sleep was ended: lease 1 has ended"),
        (lost_at_work, (), "lock n was lost: lease 1 has ended"),
        (lost_in_the_queue, ("sleep", "600"), "lock n was not got: lease 1 has ended"),
    ],
)
async def test_a_lost_lock(lock: Taking, command: tuple[str, ...], said: str) -> None:
    """Which one it was, and what became of the command under it."""
    with pytest.raises(LockLostError) as lost:
        await locks._hold(server(lock), "n", command, 1.0, "")

    assert str(lost.value) == said
