"""How many requests HTTP has answered, by route and class of status.

What lives here: the counts of one incarnation of HTTP, and the middleware that makes them.  What does not: how
they are shown (exposition.py).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from actors.gateway.metrics import Samples

UNMATCHED: Final = "unmatched"
"""The route of every path that is none: what others make up is no label."""

_FAILED: Final = 500
_PER_CLASS: Final = 100


class HttpCounts:
    """The counts."""

    def __init__(self) -> None:
        self.streams = 0
        self._answered: Counter[tuple[str, str]] = Counter()

    def middleware(self) -> Middleware:
        """Counts what everything behind it answers."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            status = _FAILED
            try:
                response = await handler(request)
                status = response.status
                return response
            except web.HTTPException as error:
                status = error.status
                raise
            finally:
                self._answered[_route(request), f"{status // _PER_CLASS}xx"] += 1

        return count

    def samples(self) -> Samples:
        """For a scrape."""
        answered = [([route, status], count) for (route, status), count in sorted(self._answered.items())]
        return {"http_requests": answered, "http_streams": [([], self.streams)]}


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNMATCHED
