"""A lock, or an office that one holds at a time, with a token that lets others tell an old holder from the present one.

What lives here: the queue of those who want it.  What does not: how long a holder is waited for (lease.py).

Everybody in the queue has a key of their own under the lock's prefix, which hangs on their lease.  Whose key is the
oldest holds the lock: first come, first served.  The others wait for the one right before them, so the end of one wakes
one.  A key is written once, so its revision is its place in the queue and, for whoever holds the lock, the *fencing
token*: it rises with each holder, and whatever the lock protects can refuse a lower one than it has seen.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from quorate.errors import Compacted, LeaseLost
from quorate.lease import Lease
from storage.kv_protocol import Compare, Found, Put

if TYPE_CHECKING:
    from quorate.key_value import KeyValue

PREFIX: Final = "lock/"
PAGE: Final = 1_000


class Lock:
    """Use it in an `async with`, which waits until it is this one's turn.

    token: rises with each holder.  key: exists as long as the lock is held; `guard()` makes a transaction depend on it.
    When the lease is lost the body is cancelled and LeaseLost is raised in its place.

    One object is one holder: tasks that are to exclude each other make one each, with the same name.  To enter one that
    is held or waited for raises RuntimeError; after it was left, or lost, it can be entered again.
    """

    def __init__(self, kv: KeyValue, name: str, *, ttl_s: float, value: bytes) -> None:
        self._kv = kv
        self._prefix = prefix_of(name)
        self._value = value
        self._lease = Lease(kv, ttl_s)
        self._stack = AsyncExitStack()
        self._is_ours = False
        self.key = ""
        self.token = 0

    @property
    def is_held(self) -> bool:
        """Whether the lock was got, and is certainly neither left nor lost yet, by this program's clock."""
        return self._is_ours and self._lease.is_held

    def guard(self) -> Compare:
        """What holds as long as this holder has the lock: for the `when` of a transaction on this cluster's keys.

        It is for those who have entered: who waits has a key already, and it would hold for them too.
        """
        return Compare(self.key, "revision", "==", self.token)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._lease)
        self._is_ours = False
        try:
            await self._queue_up()
            await self._wait()
            self._is_ours = True
        except BaseException as error:
            await self._stack.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _queue_up(self) -> None:
        self.key = f"{self._prefix}{self._lease.id:016x}"
        answer = await self._kv.txn([], [Put(self.key, self._value, self._lease.id)])
        self.token = answer.revision

    async def _wait(self) -> None:
        while True:
            queue, revision = await queue_of(self._kv, self._prefix)
            if all(one.key != self.key for one in queue):
                raise LeaseLost(f"the place in the queue for {self._prefix} was lost")
            before = [one for one in queue if one.revision < self.token]
            if not before:
                return
            with suppress(Compacted):
                await self._end_of(before[-1].key, revision)

    async def _end_of(self, key: str, revision: int) -> None:
        async for update in await self._kv.watch(key, after=revision):
            if update.changes[-1].value is None:
                return


def prefix_of(name: str) -> str:
    """Where a lock's keys are; a name within another one's, such as a/b and a, is a lock of its own."""
    return f"{PREFIX}{quote(name, safe='')}/"


async def queue_of(kv: KeyValue, prefix: str) -> tuple[list[Found], int]:
    """Who holds a lock and who waits, the holder first, and as of which revision."""
    page = await kv.list(prefix, limit=PAGE)
    found, revision = list(page.items), page.revision
    while page.next:
        page = await kv.list(prefix, start=page.next, limit=PAGE, revision=revision)
        found += page.items
    return sorted(found, key=lambda one: one.revision), revision


async def holder_of(kv: KeyValue, name: str) -> Found | None:
    """The key of whoever holds a lock: its value is the holder's, its revision the token."""
    queue, _ = await queue_of(kv, prefix_of(name))
    return queue[0] if queue else None
