"""The HTTP API as an OpenAPI 3.1 document, which is served at /v1/openapi.json.

What lives here: the document, written by hand.  What does not: the API (api.py); tests hold that both have the
same routes and parameters, and that a server's answers are as they are described here.

Operators' reports (status, members and the like) grow keys; the document says of them what it promises, and no more.
"""

from __future__ import annotations

from typing import Any, Final

from actors.gateway.limits import TIMEOUT_MAX_S
from actors.gateway.streams import CURSOR
from quorate.version import __version__
from storage.kv_protocol import KEY_BYTES_MAX, LIST_BYTES_MAX, LIST_LIMIT_MAX, TXN_OPS_MAX, VALUE_BYTES_MAX

Json = dict[str, Any]

INTEGER_MAX: Final = 10**18 - 1
BODY_TIMEOUT_S: Final = 20.0
"""How long the body of a PUT may take to arrive, which is at most VALUE_BYTES_MAX: then the connection goes."""

_STRING: Final[Json] = {"type": "string"}
_BOOLEAN: Final[Json] = {"type": "boolean"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0, "maximum": INTEGER_MAX}
_TEXTS: Final[Json] = {"type": "array", "items": _STRING}
_SECONDS: Final[Json] = {"type": ["number", "null"]}


def _object(required: Json, optional: Json | None = None, *, is_open: bool = False) -> Json:
    shape = {"type": "object", "required": list(required), "properties": required | (optional or {})}
    return shape if is_open else shape | {"additionalProperties": False}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: Json) -> Json:
    return {"type": "array", "items": of}


_VALUE: Final[Json] = {
    "value": _STRING | {"description": "The value, if it is UTF-8 text."},
    "value_base64": _STRING | {"description": "The value, if it is not.", "contentEncoding": "base64"},
}
_REVISION: Final[Json] = _COUNT | {"description": "Counts the changes of the whole store; no number twice."}

SCHEMAS: Final[Json] = {
    "Error": _object({"error": _STRING, "message": _STRING}, {"revision": _REVISION, "age_s": _SECONDS}, is_open=True),
    "Pair": _object({"key": _STRING, "revision": _REVISION}, {**_VALUE, "age_s": _SECONDS}, is_open=True),
    "Page": _object(
        {"items": _list(_ref("Pair")), "next": {"type": ["string", "null"]}, "revision": _REVISION}, {"age_s": _SECONDS}
    ),
    "Changed": _object({"key": _STRING, "revision": _REVISION}),
    "Compare": _object(
        {"key": _STRING}, {"test": {"enum": ["==", "!=", "<", ">"], "default": "=="}, "revision": _COUNT, **_VALUE}
    ),
    "Operation": _object({"op": {"enum": ["put", "delete", "get"]}, "key": _STRING}, _VALUE),
    "Transaction": _object(
        {},
        {
            "when": _list(_ref("Compare")) | {"maxItems": TXN_OPS_MAX},
            "then": _list(_ref("Operation")) | {"maxItems": TXN_OPS_MAX},
            "otherwise": _list(_ref("Operation")) | {"maxItems": TXN_OPS_MAX},
        },
    ),
    "Answered": _object(
        {
            "succeeded": _BOOLEAN | {"description": "Whether every comparison held."},
            "revision": _REVISION,
            "results": _list({"anyOf": [_ref("Pair"), _BOOLEAN, {"type": "null"}]}),
        }
    ),
    "Status": _object(
        {
            "cluster_id": _STRING,
            "node": _STRING,
            "id": _STRING,
            "role": {"enum": ["leader", "follower", "candidate", "standby"]},
            "leader": _STRING,
            "term": _COUNT,
            "commit_index": _COUNT,
            "applied_index": _COUNT,
            "voters": _TEXTS,
            "standbys": _TEXTS,
            "quorum": _BOOLEAN,
        },
        is_open=True,
    ),
    "Member": _object(
        {
            "name": _STRING,
            "id": _STRING,
            "address": _STRING,
            "status": {"enum": ["alive", "suspect", "failed", "leaving", "left"]},
            "tags": {"type": "object", "additionalProperties": _STRING},
            "role": {"type": ["string", "null"]},
        },
        is_open=True,
    ),
    "Story": _object({"member": _ref("Member"), "why": _list({"type": "object"})}),
    "Peer": _object(
        {
            "name": _STRING,
            "id": _STRING,
            "address": _STRING,
            "role": _STRING,
            "voter": _BOOLEAN,
            "match_index": {"type": ["integer", "null"]},
            "lag": {"type": ["integer", "null"]},
            "reason": _STRING,
        },
        is_open=True,
    ),
    "Actor": _object(
        {
            "name": _STRING,
            "incarnation": _COUNT,
            "state": _STRING,
            "restarts": _COUNT,
            "mailbox": _COUNT,
            "handled": _COUNT,
            "last_error": {"type": ["string", "null"]},
        },
        is_open=True,
    ),
    "Mailbox": _object({"name": _STRING, "depth": _COUNT, "limit": _COUNT, "refused": _COUNT}, is_open=True),
    "Event": _object(
        {
            "time": _STRING | {"format": "date-time", "description": "When this server saw it."},
            "event": _STRING | {"description": "`member-failed`, `user`, ..."},
        },
        is_open=True,
    ),
    "Events": _object({"entries": _list(_ref("Event")), "cursor": _STRING, "dropped": _COUNT}, is_open=True),
    "Health": _object(
        {
            "node": _STRING,
            "healthy": _BOOLEAN,
            "ready": _BOOLEAN,
            "checks": _list(_object({"name": _STRING, "ok": _BOOLEAN, "detail": _STRING})),
        }
    ),
    "Report": {"type": "object"},
}

# --- operations -------------------------------------------------------------------------------------------------------

_ERRORS: Final = {
    400: "The request makes no sense; as text when it is no HTTP, or its first line is longer than 8,190 bytes.",
    401: "No bearer token, or one that this server does not know.",
    403: "The token does not allow this.",
    404: "There is no such key, member or path.",
    408: f"The body did not arrive within {BODY_TIMEOUT_S:g} s, whatever `timeout` is; nothing was changed.",
    409: "A lost race: the key has another revision, which is in the body.",
    410: "So long ago that it is not known any more; the body has the oldest revision that is.",
    413: f"The body is larger than a value may be, or a key longer than {KEY_BYTES_MAX} bytes.",
    415: "The body is encoded; it would be stored as it is.",
    421: "The request is meant for another host.",
    500: "The server failed.",
    503: "Certainly not done: no leader, too much to do, or a history that the cluster has not. Try again.",
    504: "No answer in time: a write may or may not have been done.",
}
NO_METHOD: Final = (405, "The path has no such method; the header `Allow` names those that it has.")
"""What no operation answers, and every path does."""

_ALWAYS: Final = (400, 401, 403, 421, 500, 503, 504)


def _query(name: str, schema: Json, text: str) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


_TIMEOUT: Final = _query(
    "timeout",
    {"type": "number", "exclusiveMinimum": 0, "maximum": TIMEOUT_MAX_S, "default": 5},
    "Seconds that the answer may take.",
)
_AT: Final = _query("revision", _COUNT, "As it was at this revision; 0: as it is.")
_IF: Final = _query("revision", _COUNT, "Only if this is the key's revision; 0 for a key that is not there.")
_PREFIX: Final = _query("prefix", _STRING, "The keys that begin with it.")
_CONSISTENCY: Final = _query(
    "consistency",
    {"enum": ["linearizable", "stale"], "default": "linearizable"},
    "stale: what this server has, without a leader, with its age in seconds as `age_s`.",
)
_KEY: Final[Json] = {
    "name": "key",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX},
    "description": f"The whole rest of the path, slashes included; at most {KEY_BYTES_MAX} bytes as UTF-8.",
}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


_TEXT: Final[Json] = {"text/plain": {"schema": _STRING}}


def _operation(summary: str, content: Json, *parameters: Json, errors: tuple[int, ...] = (), **more: Any) -> Json:
    failures: Json = {
        str(code): {"description": _ERRORS[code], "content": _json(_ref("Error"))}
        for code in sorted({*_ALWAYS, *errors})
    }
    failures["400"]["content"] |= _TEXT
    return {
        "summary": summary,
        "parameters": [*parameters, _TIMEOUT],
        "responses": {"200": {"description": "Done.", "content": content}, **failures},
        **more,
    }


def _report(summary: str, schema: Json, *parameters: Json, errors: tuple[int, ...] = ()) -> Json:
    return {"get": _operation(summary, _json(schema), *parameters, errors=errors)}


def _either(operation: Json, content: Json) -> Json:
    """A report whose 503 has the report in it, too."""
    either = {"description": "Not well; or no answer.", "content": content | _json({"type": "object"})}
    return operation | {"responses": operation["responses"] | {"503": either}}


_BODY: Final = (408, 413, 415)
_RAW_BODY: Final[Json] = {
    "required": False,
    "description": f"The value, as it is, whatever its Content-Type; at most {VALUE_BYTES_MAX} bytes.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}

PATHS: Final[Json] = {
    "/v1/kv": _report(
        "List keys in order, a page at a time.",
        _ref("Page"),
        _PREFIX,
        _query("start", _STRING, "From this key on: the `next` of the page before."),
        _query(
            "limit",
            _COUNT | {"default": LIST_LIMIT_MAX},
            f"Keys in a page, 1 to {LIST_LIMIT_MAX}; it ends sooner once they and their values pass "
            f"{LIST_BYTES_MAX >> 20} MiB.",
        ),
        _AT,
        _CONSISTENCY,
        errors=(410, 413),
    ),
    "/v1/kv/{key}": {
        "parameters": [_KEY],
        "get": _operation("Get a key.", _json(_ref("Pair")), _AT, _CONSISTENCY, errors=(404, 410, 413)),
        "put": _operation("Set a key.", _json(_ref("Changed")), _IF, errors=(404, 409, *_BODY), requestBody=_RAW_BODY),
        "delete": _operation("Remove a key.", _json(_ref("Changed")), _IF, errors=(404, 409, 413)),
    },
    "/v1/txn": {
        "post": _operation(
            "If every comparison holds do `then`, else `otherwise`: all of it at one revision, or nothing.",
            _json(_ref("Answered")),
            errors=_BODY,
            requestBody={"required": True, "content": _json(_ref("Transaction"))},
        )
    },
    "/v1/watch": {
        "get": _operation(
            "Server-sent events: `update` with {revision, changes}, `bookmark`, `compacted`; a revision is their id.",
            {"text/event-stream": {"schema": _STRING}},
            _query("key", _STRING | {"minLength": 1, "maxLength": KEY_BYTES_MAX}, "Of this key alone."),
            _query("prefix", _STRING, "The keys that begin with it; without this and `key`: all keys."),
            _query("since", _COUNT, "From behind this revision; else from now on. Last-Event-ID goes before it."),
            errors=(410, 413),
        )
    },
    "/v1/status": _report("This server and its cluster.", _ref("Status")),
    "/v1/members": _report(
        "The members; with `why` one of them and how it came to its status.",
        {"anyOf": [_list(_ref("Member")), _ref("Story")]},
        _query("why", _STRING, "The name or id of a member."),
        errors=(404,),
    ),
    "/v1/raft/peers": _report("The Raft configuration, and the reasons for it.", _list(_ref("Peer"))),
    "/v1/info": _report("This server in detail, in sections.", _ref("Report")),
    "/v1/requests": _report("How many requests there were, and how long they took.", _ref("Report")),
    "/v1/actors": _report("The actors of this server.", _list(_ref("Actor"))),
    "/v1/actors/mailboxes": _report("Their mailboxes.", _list(_ref("Mailbox"))),
    "/v1/events": _report(
        "What happened: the latest events, numbered, with the `time` this server saw each, or a wait for the next.",
        _ref("Events"),
        _query("cursor", _STRING | {"pattern": CURSOR}, "The `cursor` of the answer before; without it what is kept."),
        _query("wait", _COUNT, "Seconds to wait for something to come, as long as `timeout` allows."),
    ),
    "/health": {"get": _either(_operation("200: well, 503: not.", _json(_ref("Health"))), {})},
    "/ready": {"get": _either(_operation("200: it can serve, 503: not. A line a check.", _TEXT), _TEXT)},
    "/metrics": {"get": _operation("Prometheus' text.", _TEXT)},
    "/v1/openapi.json": _report("This document.", _ref("Report")),
}

DOCUMENT: Final[Json] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Quorate",
        "version": __version__,
        "description": "A key-value store on a Raft cluster. Any server answers any request.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "paths": PATHS,
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "With --http-tokens alone."}},
    },
    "security": [{}, {"token": []}],
}
