"""Watches over HTTP, as server-sent events (HTML standard, section 9.2).

What lives here: one response that does not end, made of one question after the other.  What does not: who answers those
(actors/gateway/watches.py), and the other paths (api.py).

Each event has the revision as its id, so that a browser that comes again goes on where it was, at whatever server:

    event: update       {"revision": N, "changes": [{"key", "value" or "value_base64"} or {"key", "deleted": true}]}
    event: bookmark     {"revision": N}: nothing happened up to there
    event: compacted    {"revision": N, "message"}: what was asked for is not known any more; the end
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from aiohttp import web

from actors.gateway.http.error import ApiError
from actors.gateway.reports import update_report
from storage.kv_protocol import Changes, Failed, KvResult, watch

WAIT_S: Final = 15.0
"""How long nothing is written when nothing happens: proxies end connections that are quiet for a minute."""

Ask = Callable[[bytes, float], Awaitable[KvResult]]
"""Put a watch query, with the seconds that it may wait, to this server."""


class WatchStream:
    """One client's stream."""

    def __init__(self, key: str, *, is_prefix: bool, after: int) -> None:
        self._key = key
        self._is_prefix = is_prefix
        self._after = after

    async def run(self, request: web.Request, ask: Ask) -> web.StreamResponse:
        """Write events until the client goes, or has to begin anew."""
        # Asked once before the response begins, so that what is wrong from the start has a status of its own.
        answer = await ask(self._query(), 0.0)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        # Where this server cannot answer any more the stream ends: its client comes again, to whoever can.
        with suppress(ApiError):
            while isinstance(answer, Changes):
                await response.write(self._events(answer))
                answer = await ask(self._query(), WAIT_S)
            if isinstance(answer, Failed):
                await response.write(_event("compacted", {"revision": answer.revision, "message": answer.message}))
        return response

    def _query(self) -> bytes:
        return watch(self._key, self._after, is_prefix=self._is_prefix)

    def _events(self, answer: Changes) -> bytes:
        self._after = answer.revision
        updates = [
            _event("update", update_report(revision, changes))
            for revision, changes in groupby(answer.changes, key=attrgetter("revision"))
        ]
        return b"".join(updates) or _event("bookmark", {"revision": answer.revision})


def _event(name: str, data: dict[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False)
    return f"event: {name}\nid: {data['revision']}\ndata: {text}\n\n".encode()
