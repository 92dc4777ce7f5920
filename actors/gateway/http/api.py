"""The HTTP API: paths to the gateway's operations, and its answers to status codes.

What lives here: one handler a path.  Every handler asks the gateway actor, as a client over ZeroMQ would, and JSON is
the same that `--format json` prints.  What does not: which path has which (app.py), the document about them
(openapi.py), taking the port (http.py), and the store itself (storage/kv.py).

An error is {"error": CODE, "message": TEXT}.  400 the request makes no sense; 401 no token, or an unknown one; 403 the
token does not reach so far; 404 no such key; 405 no such method; 408 the body did not arrive in time; 409 a lost race,
with the key's `revision` as it is; 410 so long ago that it is not known any more, with the oldest `revision` that is;
413 too large; 415 an encoded body; 421 meant for another host; 503 certainly not done, try again (Retry-After); 504 the
outcome is unknown: look before trying again.
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from actors.gateway.http.counts import HttpCounts
from actors.gateway.http.error import ApiError
from actors.gateway.http.exposition import CONTENT_TYPE, exposition
from actors.gateway.http.openapi import BODY_TIMEOUT_S, DOCUMENT, INTEGER_MAX
from actors.gateway.http.txn_json import TransactionError, answer_report, keys_of, parse_txn
from actors.gateway.http.watch import WatchStream
from actors.gateway.limits import TIMEOUT_MAX_S
from actors.gateway.reports import pair_report
from actors.gateway.streams import CURSOR
from actors.gateway.watches import WATCH
from actors.runtime.asks import AskError, MailboxFull
from storage.kv_faults import put_fault
from storage.kv_protocol import (
    LIST_LIMIT_MAX,
    VALUE_BYTES_MAX,
    Failed,
    Found,
    KvResult,
    Page,
    decode_result,
    delete,
    delete_if,
    get,
    list_keys,
    put,
    put_if,
)
from transport.client.protocol import LINEARIZABLE, STALE, Code, Request, Response, decode_payload, encode_payload
from transport.client.stale import age_s
from transport.text import shortened

if TYPE_CHECKING:
    from actors.gateway.http.tokens import Tokens
    from actors.runtime.ref import Ref

TIMEOUT_S: Final = 5.0
ANSWER_MARGIN_S: Final = 0.5
"""The gateway ends a request at its deadline and says how; this is for its answer to arrive."""

STREAMS_MAX: Final = 1_536
"""Watches over HTTP at the same time."""

_STATUS: Final = {
    Code.BAD_REQUEST: 400,
    Code.NOT_FOUND: 404,
    Code.REFUSED: 409,
    Code.TOO_LARGE: 413,
    Code.FAILED: 500,
    Code.NO_LEADER: 503,
    Code.DIVERGED: 503,
    Code.OVERLOADED: 503,
    Code.TIMEOUT: 504,
    Code.OUTCOME_UNKNOWN: 504,
}
_KV_STATUS: Final = {"bad_request": 400, "not_found": 404, "conflict": 409, "compacted": 410, "too_large": 413}
_CONSISTENCIES: Final = (LINEARIZABLE, STALE)


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response."""
    text = json.dumps(value, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


class HttpApi:
    """The handlers."""

    def __init__(self, gateway: Ref, counts: HttpCounts, tokens: Tokens | None) -> None:
        self._gateway = gateway
        self._tokens = tokens
        self._counts = counts

    # --- keys -------------------------------------------------------------------------------------------------------

    async def get_key(self, request: web.Request) -> web.Response:
        """A key with its value and revision; `?consistency=stale` for what this server has, with `age_s`.

        `?revision=N` for the key as it was then.
        """
        found, age = await self._query(request, get(_key(request), _number(request, "revision", 0)))
        assert isinstance(found, Found), "the answer to a query for a key that is there"
        return reply(pair_report(found) | age)

    async def list_keys(self, request: web.Request) -> web.Response:
        """A page of keys in order; the next one begins with `?start=` of its `next`.  `?revision=N`: as it was then."""
        limit, revision = _number(request, "limit", LIST_LIMIT_MAX), _number(request, "revision", 0)
        query = list_keys(request.query.get("prefix", ""), request.query.get("start", ""), limit, revision)
        page, age = await self._query(request, query)
        assert isinstance(page, Page), "the answer to a query for keys"
        items = [pair_report(found) for found in page.items]
        return reply({"items": items, "next": page.next or None, "revision": page.revision, **age})

    async def put_key(self, request: web.Request) -> web.Response:
        """Set a key to the body, whatever its type; `?revision=N` only if that is the key's, 0 if there is none."""
        key = _key(request)
        value = await _body(request)
        if "revision" in request.query:
            return await self._change(request, key, put_if(key, value, _number(request, "revision", 0)))
        return await self._change(request, key, put(key, value))

    async def delete_key(self, request: web.Request) -> web.Response:
        """Remove a key; `?revision=N` only if that is the key's."""
        key = _key(request)
        if "revision" in request.query:
            return await self._change(request, key, delete_if(key, _number(request, "revision", 0)))
        return await self._change(request, key, delete(key))

    async def transact(self, request: web.Request) -> web.Response:
        """Carry out the transaction in the body; 200 whether or not its comparisons held, which `succeeded` says."""
        try:
            command = parse_txn(await _body(request))
        except TransactionError as error:
            raise ApiError(400, Code.BAD_REQUEST, f"no transaction: {error}") from None
        if self._tokens is not None:
            self._tokens.check_keys(request, keys_of(command))
        answer = await self._ask(request, "propose", [command])
        return reply(answer_report(_checked(answer[0])))

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events (watch.py): `?prefix=` or `?key=`, `?since=` a revision, else from now on.

        The Last-Event-ID of a browser that comes again goes before `since`.
        """
        if "key" in request.query and "prefix" in request.query:
            raise ApiError(400, Code.BAD_REQUEST, "a watch is of a key or of a prefix, not of both")
        is_of_key = "key" in request.query
        watched = _sound(request.query["key"]) if is_of_key else request.query.get("prefix", "")
        if self._counts.streams >= STREAMS_MAX:
            raise ApiError(503, Code.OVERLOADED, f"{self._counts.streams} watches are open here; try again later")
        self._counts.streams += 1
        try:
            stream = WatchStream(watched, is_prefix=not is_of_key, after=await self._since(request))
            return await stream.run(request, partial(self._watched, request))
        finally:
            self._counts.streams -= 1

    async def _since(self, request: web.Request) -> int:
        last = request.headers.get("Last-Event-ID", "")
        if "since" in request.query or last:
            since = _integer("Last-Event-ID", last) if last else _number(request, "since", 0)
            await self._check_reached(request, since)
            return since
        page, _ = await self._query(request, list_keys(limit=1))
        return int(page.revision)

    async def _check_reached(self, request: web.Request, revision: int) -> None:
        """Refuse a revision that the store has not come to.  A server may be behind; without a leader none can tell."""
        own, _, _ = await self._ask(request, "read", [list_keys(limit=1), STALE])
        if revision <= _checked(own).revision:
            return
        try:
            then, _, _ = await self._ask(request, "read", [list_keys(limit=1, revision=revision), LINEARIZABLE])
        except ApiError:
            return
        result = _decoded(then)
        if isinstance(result, Failed) and result.code != "compacted":
            _checked(then)

    async def _watched(self, request: web.Request, query: bytes, wait_s: float) -> KvResult:
        answer = await self._ask(request, WATCH, query, timeout_s=wait_s)
        return _decoded(answer)

    async def _query(self, request: web.Request, query: bytes) -> tuple[Any, dict[str, Any]]:
        """The store's result, and the age of a stale one for the body, an error's too."""
        consistency = request.query.get("consistency", _CONSISTENCIES[0])
        if consistency not in _CONSISTENCIES:
            raise ApiError(400, "bad_request", f"consistency is {' or '.join(_CONSISTENCIES)}, not {consistency!r}")
        result, _, age_ms = await self._ask(request, "read", [query, consistency])
        age = {"age_s": age_s(age_ms)} if consistency == STALE else {}
        return _checked(result, **age), age

    async def _change(self, request: web.Request, key: str, command: bytes) -> web.Response:
        answer = await self._ask(request, "propose", [command])
        return reply({"key": key, "revision": _checked(answer[0]).revision})

    # --- the server -------------------------------------------------------------------------------------------------

    def report(self, op: str, *names: str) -> Handler:
        """A handler that answers with an operation of the gateway; parameters of these names are its arguments."""

        async def answer(request: web.Request) -> web.StreamResponse:
            given = {name: request.query[name] for name in names if name in request.query}
            return reply(await self._ask(request, op, given))

        return answer

    async def events(self, request: web.Request) -> web.Response:
        """What came after `?cursor=`, without one what is kept; the answer has the next cursor, and what was missed.

        `?wait=` seconds for something to come, as long as `timeout` allows.
        """
        asked = {
            "cursor": _cursor(request),
            "wait_s": float(_number(request, "wait", 0)),
            "recent": True,
        }
        return reply(await self._ask(request, "event.watch", asked))

    async def health(self, request: web.Request) -> web.Response:
        """200 when this server and its cluster are well, else 503; the checks are in the body."""
        report = await self._ask(request, "health", {})
        return reply(report, status=200 if report["healthy"] else 503)

    async def ready(self, request: web.Request) -> web.Response:
        """200 when this server can serve, else 503; one line a check, for the eyes and for load balancers."""
        report = await self._ask(request, "health", {})
        lines = [f"[{'+' if check['ok'] else '-'}]{check['name']}: {check['detail']}" for check in report["checks"]]
        text = "\n".join([*lines, "ready" if report["ready"] else "not ready", ""])
        return web.Response(text=text, status=200 if report["ready"] else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus' text (docs/metrics.md)."""
        samples = await self._ask(request, "metrics", {})
        text = exposition(samples | self._counts.samples())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def document(self, _request: web.Request) -> web.Response:
        """The description of this API."""
        return reply(DOCUMENT)

    # --- the gateway ------------------------------------------------------------------------------------------------

    async def _ask(self, request: web.Request, op: str, payload: Any, *, timeout_s: float | None = None) -> Any:
        timeout_s = _timeout_s(request) if timeout_s is None else timeout_s
        message = Request(0, op, encode_payload(payload), round(timeout_s * 1000))
        try:
            answer: Response = await self._gateway.ask(message, timeout_s=timeout_s + ANSWER_MARGIN_S)
        except MailboxFull as error:
            raise ApiError(503, Code.OVERLOADED, f"{error}; nothing was changed") from None
        except AskError as error:
            raise ApiError(504, Code.OUTCOME_UNKNOWN, f"{error}; it may or may not have been done") from None
        if answer.code != Code.OK:
            raise ApiError(_STATUS.get(Code(answer.code), 500), answer.code, answer.message)
        return decode_payload(answer.payload)


def _checked(result: bytes, **more: Any) -> Any:
    """The store's result; raises ApiError, with `more` in its body, when it is a failure."""
    decoded = _decoded(result)
    if isinstance(decoded, Failed):
        revision = {"revision": decoded.revision} if decoded.code in ("conflict", "compacted") else {}
        raise ApiError(_KV_STATUS[decoded.code], decoded.code, decoded.message, **revision, **more)
    return decoded


def _decoded(result: bytes) -> KvResult:
    try:
        return decode_result(result)
    except ValueError:
        raise ApiError(500, Code.FAILED, "this server has another state machine than the key-value store") from None


async def _body(request: web.Request) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        why = f"the body is stored as it is, and this one is encoded ({shortened(encoding)}): send it plain"
        raise ApiError(415, "unsupported_media_type", why)
    if (request.content_length or 0) > VALUE_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(VALUE_BYTES_MAX)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await _ask_for_body(request)
            return await request.read()
    except TimeoutError:
        why = f"the body did not arrive within {BODY_TIMEOUT_S:g} s; nothing was changed"
        raise ApiError(408, Code.TIMEOUT, why) from None


async def not_yet(_request: web.Request) -> None:
    """In place of aiohttp's word to whoever waits with the body for one: it is said where the body is wanted."""


async def _ask_for_body(request: web.Request) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _key(request: web.Request) -> str:
    return _sound(request.match_info["key"])


def _sound(key: str) -> str:
    """The key.  Raises ApiError, with what the store says to a put of it, for what can be none."""
    fault = put_fault(key, b"")
    if fault is not None:
        raise ApiError(_KV_STATUS[fault.code], fault.code, fault.message)
    return key


def _number(request: web.Request, name: str, default: int) -> int:
    return _integer(name, request.query.get(name, str(default)))


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ApiError(400, Code.BAD_REQUEST, f"{name} is a number, not {shortened(text)}")
    if len(text) > len(str(INTEGER_MAX)):
        raise ApiError(400, Code.BAD_REQUEST, f"{name} is too large: at most {INTEGER_MAX}, not {shortened(text)}")
    return int(text)


def _cursor(request: web.Request) -> str:
    """One of this server from before it was started again is one, too: with it all is answered that is kept."""
    cursor = request.query.get("cursor", "")
    if not re.fullmatch(CURSOR, cursor):
        why = f"cursor is the `cursor` of an answer before, not {shortened(cursor)}; without it you get what is kept"
        raise ApiError(400, Code.BAD_REQUEST, why)
    return cursor


def _timeout_s(request: web.Request) -> float:
    text = request.query.get("timeout", str(TIMEOUT_S))
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= TIMEOUT_MAX_S:
        raise ApiError(
            400, "bad_request", f"timeout is seconds, more than 0 and at most {TIMEOUT_MAX_S:g}, not {text!r}"
        )
    return timeout_s
