"""The HTTP application: which path has which handler, and what every request passes on its way to one.

What lives here: the routes with the parameters that they take, and the form of every error.  What does not: the
handlers (api.py), and what is checked before them (guard.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from actors.gateway.http.api import HttpApi, not_yet, reply
from actors.gateway.http.counts import HttpCounts
from actors.gateway.http.error import ApiError
from actors.gateway.http.guard import GuardError, check_request
from actors.gateway.http.page_files import add_page
from storage.kv_protocol import VALUE_BYTES_MAX
from transport.client.protocol import Code
from transport.text import shortened

if TYPE_CHECKING:
    from actors.gateway.http.tokens import Tokens
    from actors.runtime.ref import Ref
    from transport.address import Address

RETRY_AFTER_S: Final = 1
_HEADERS: Final = {
    401: {"WWW-Authenticate": "Bearer"},
    408: {"Connection": "close"},
    413: {"Connection": "close"},
    503: {"Retry-After": str(RETRY_AFTER_S)},
}


def make_app(gateway: Ref, bound: Address, tokens: Tokens | None = None) -> web.Application:
    """The application that serves the API at `bound` by asking `gateway`; tokens: who may, None for everybody."""
    counts = HttpCounts()
    api = HttpApi(gateway, counts, tokens)
    app = web.Application(
        middlewares=[counts.middleware(), _errors_as_json(bound, tokens)], client_max_size=VALUE_BYTES_MAX + 1
    )
    app.router.add_get("/v1/kv", _taking(api.list_keys, "prefix", "start", "limit", "revision", "consistency"))
    # The whole rest of the path is the key, slashes and all; aiohttp has decoded it.
    app.router.add_get("/v1/kv/{key:.+}", _taking(api.get_key, "revision", "consistency"))
    app.router.add_put("/v1/kv/{key:.+}", _taking(api.put_key, "revision"), expect_handler=not_yet)
    app.router.add_delete("/v1/kv/{key:.+}", _taking(api.delete_key, "revision"))
    app.router.add_post("/v1/txn", _taking(api.transact), expect_handler=not_yet)
    app.router.add_get("/v1/watch", _taking(api.watch, "key", "prefix", "since"))
    app.router.add_get("/v1/status", _taking(api.report("status")))
    app.router.add_get("/v1/members", _taking(api.report("members", "why"), "why"))
    app.router.add_get("/v1/raft/peers", _taking(api.report("raft.peers")))
    app.router.add_get("/v1/info", _taking(api.report("info")))
    app.router.add_get("/v1/requests", _taking(api.report("requests")))
    app.router.add_get("/v1/actors", _taking(api.report("actors.list")))
    app.router.add_get("/v1/actors/mailboxes", _taking(api.report("actors.mailboxes")))
    app.router.add_get("/v1/events", _taking(api.events, "cursor", "wait"))
    app.router.add_get("/health", _taking(api.health))
    app.router.add_get("/ready", _taking(api.ready))
    app.router.add_get("/metrics", _taking(api.metrics))
    app.router.add_get("/v1/openapi.json", _taking(api.document))
    add_page(app)
    return app


def _taking(handler: Handler, *parameters: str) -> Handler:
    """The handler, which takes these parameters and `timeout`, each once: a condition misspelt would be none at all."""
    known = ("timeout", *parameters)

    async def answer(request: web.Request) -> web.StreamResponse:
        for name in request.query:
            if name not in known:
                why = f"unknown parameter {shortened(name)}: {request.method} here takes {', '.join(known)}"
                raise ApiError(400, Code.BAD_REQUEST, why)
            if len(request.query.getall(name)) > 1:
                raise ApiError(400, Code.BAD_REQUEST, f"{name} is given twice")
        return await handler(request)

    return answer


def _errors_as_json(bound: Address, tokens: Tokens | None) -> Middleware:
    """Refuse what is not for this server, and give every error the same form, aiohttp's own included."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            check_request(request, bound)
            if tokens is not None:
                tokens.check(request)
            return await handler(request)
        except GuardError as error:
            return reply({"error": error.code, "message": str(error)}, status=error.status)
        except (ApiError, web.HTTPException) as error:
            return _as_json(request, error)

    return answer


def _as_json(request: web.Request, error: ApiError | web.HTTPException) -> web.StreamResponse:
    if isinstance(error, ApiError):
        return reply(error.body, error.status, _HEADERS.get(error.status))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return reply(_too_large(), error.status, _HEADERS.get(error.status))
    if error.status < web.HTTPBadRequest.status_code:
        raise error
    code = error.reason.lower().replace(" ", "_")
    allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return reply({"error": code, "message": f"{request.method} {request.path}: {error.reason}"}, error.status, allowed)


def _too_large() -> dict[str, str]:
    return {"error": "too_large", "message": f"the value is larger than {VALUE_BYTES_MAX} bytes, which is the limit"}
