"""A watch: what happens to a key, or to all keys with a prefix, as a stream that no server's end interrupts.

What lives here: the loop that makes a stream of questions, each for what came after the last answer.  What does not:
which server is asked and what happens when it dies (transport/client/client.py), and how a server finds what to answer
(actors/gateway/watches.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Protocol, runtime_checkable

from msgspec import Struct
from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from storage.kv_protocol import Change, Changes, watch
from transport.client.batches import WATCH
from transport.client.errors import NoLeader, OutcomeUnknown, Overloaded, Unreachable

WAIT_S: Final = 20.0
"""How long a server keeps a question when nothing happens."""
RETRY_FIRST_S: Final = 0.02
RETRY_MAX_S: Final = 1.0

_PASSING: Final = (NoLeader, Overloaded, OutcomeUnknown, Unreachable)


class Update(Struct, frozen=True):
    """What one command changed of what is watched, all of it."""

    revision: int
    changes: tuple[Change, ...]
    """Each with `key`, `value` (None: it was removed) and `revision`."""


@runtime_checkable
class Asker(Protocol):
    """The part of a client that a watch needs."""

    is_open: bool
    """Whether it can be asked at all."""

    async def call(self, op: str, arguments: Any = None, *, timeout_s: float | None = None) -> Any:
        """Ask a server."""


class Watch:
    """An asynchronous iterator of `Update`, in order, each once, none missing.

    revision: everything up to here has been told; another watch can go on from there.
    """

    def __init__(self, client: Asker, key: str, *, is_prefix: bool, after: int, result: Any) -> None:
        self._client = client
        self._key = key
        self._is_prefix = is_prefix
        self._understood = result
        self.revision = after

    async def __aiter__(self) -> AsyncIterator[Update]:
        """The updates, without end.  Raises Compacted when it was so slow that some are not known any more."""
        while True:
            answer = await self._ask()
            for revision, changes in groupby(answer.changes, key=attrgetter("revision")):
                # Before it is handed over: whoever ends the loop there has been told of it.
                self.revision = revision
                yield Update(revision, tuple(changes))
            self.revision = max(self.revision, answer.revision)

    async def _ask(self) -> Changes:
        try:
            return await self._ask_once()
        except _PASSING:
            if not self._client.is_open:
                raise
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(_PASSING),
            wait=wait_random_exponential(multiplier=RETRY_FIRST_S, max=RETRY_MAX_S),
            stop=lambda _: not self._client.is_open,
            reraise=True,
        ):
            with attempt:
                answer = await self._ask_once()
        return answer

    async def _ask_once(self) -> Changes:
        query = watch(self._key, self.revision, is_prefix=self._is_prefix)
        answer: Changes = self._understood(await self._client.call(WATCH, query, timeout_s=WAIT_S), Changes)
        return answer
