"""A lease that is kept alive for as long as its `async with` lasts.

What lives here: beginning, renewing and ending one, and noticing that it was lost.  What does not: what hangs on it
(lock.py, or keys that were put with its id), and by which clock it ends: that is the log's (actors/raft/log_clock.py).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from quorate.errors import LeaseLost
from transport.client.errors import ClientError, NotFound

if TYPE_CHECKING:
    from quorate.key_value import KeyValue

RENEWALS: Final = 3
"""A lease is renewed so often in the time that it lasts."""
RETRY_S: Final = 0.2
ENTERED_TWICE: Final = (
    "this Lock or Lease is entered already, and one object is one holder, so it cannot keep a second task out: "
    "make one Lock for each task: client.lock(...)"
)


class Lease:
    """Use it in an `async with`.  When it is lost, the body is cancelled and LeaseLost is raised in its place.

    id: for `put(..., lease=lease.id)`.  A body that was stopped for longer than the lease lasts finds out only when it
    goes on, so what must not be done by two at once has to be guarded by a token as well (docs/locks.md).

    It can be entered again after it was left, also after it was lost, but not before: that raises RuntimeError.
    """

    def __init__(self, kv: KeyValue, ttl_s: float) -> None:
        self._kv = kv
        self._ttl_s = ttl_s
        self.id = 0
        self._is_entered = False
        self._lost = ""
        self._ends = 0.0
        self._body: asyncio.Task[object] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether it was entered, and is certainly neither left nor ended yet, by this program's clock."""
        return not self._lost and asyncio.get_running_loop().time() < self._ends

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise RuntimeError(ENTERED_TWICE)
        self._is_entered = True
        try:
            await self._begin()
        except BaseException:
            self._is_entered = False
            raise
        return self

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.id = await self._kv.grant(self._ttl_s)
        self._lost = ""
        self._ends = began + self._ttl_s
        self._body = asyncio.current_task()
        self._keeper = loop.create_task(self._keep(), name=f"lease {self.id}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._end(error)
        finally:
            self._is_entered = False

    async def _end(self, error: BaseException | None) -> None:
        assert self._keeper is not None, "it was entered"
        # Before anything is waited for: from here on nobody can count on it.
        self._ends = 0.0
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        if not self._lost:
            with suppress(ClientError):
                # If that fails it ends by itself.
                await self._kv.revoke(self.id, timeout_s=self._ttl_s)
            return
        if isinstance(error, asyncio.CancelledError) and self._body is not None:
            self._body.uncancel()
        raise LeaseLost(f"lease {self.id} {self._lost}") from error

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = self._ttl_s / RENEWALS
        while True:
            await asyncio.sleep(pause_s)
            began = loop.time()
            try:
                await self._kv.renew(self.id, timeout_s=max(RETRY_S, min(self._ends - began, self._ttl_s)))
            except NotFound:
                self._lose("has ended")
                return
            except ClientError as error:
                if loop.time() >= self._ends:
                    self._lose(f"could not be renewed in time: {error}")
                    return
                pause_s = RETRY_S
            else:
                self._ends = began + self._ttl_s
                pause_s = self._ttl_s / RENEWALS

    def _lose(self, why: str) -> None:
        self._lost = why
        if self._body is not None:
            self._body.cancel()
