"""The reference of HTTP, made from the OpenAPI document: `make reference`.

What lives here: turning the document into Markdown.  What does not: any word of it (actors/gateway/http/openapi.py).
"""

from __future__ import annotations

from typing import Any, Final

from actors.gateway.http.openapi import DOCUMENT, NO_METHOD

METHODS: Final = ("get", "put", "post", "delete")
HEAD: Final = """\
# HTTP

<!-- made by make reference -->

`GET /v1/openapi.json` of every server has this for programs. Answers are JSON, where nothing else is said; an error is
`{"error": CODE, "message": TEXT}`. Every path takes `timeout`, in seconds, 5 by default and at most 60. Beyond
loopback, and wherever `start --http-tokens` is given, a request carries `Authorization: Bearer TOKEN`
([how](operating.md#http-beyond-this-machine))."""


def http_reference() -> str:
    """docs/reference-http.md."""
    parts = [HEAD]
    codes = {str(NO_METHOD[0]): NO_METHOD[1]}
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                parts += _section(f"{method.upper()} {path}", operation, item.get("parameters", []))
                codes |= {code: one["description"] for code, one in operation["responses"].items() if code not in codes}
    parts += ["## Status codes", _rows(("code", "what it says"), sorted(codes.items()))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _section(title: str, operation: dict[str, Any], shared: list[dict[str, Any]]) -> list[str]:
    taken = [one for one in [*shared, *operation["parameters"]] if one["name"] != "timeout"]
    body = operation.get("requestBody")
    otherwise = ", ".join(code for code in operation["responses"] if code != "200")
    return [
        f"## `{title}`",
        operation["summary"],
        _rows(("parameter", "what it does"), [(f"`{one['name']}`", one["description"]) for one in taken]),
        f"The body: {_shapes(body['content'])}. {body.get('description', '')}".rstrip() if body else "",
        f"Answers with {_shapes(operation['responses']['200']['content'])}; otherwise {otherwise}.",
    ]


def _shapes(content: dict[str, Any]) -> str:
    return ", or ".join(
        _shape(one["schema"]) if kind == "application/json" else f"`{kind}`" for kind, one in content.items()
    )


def _shape(schema: dict[str, Any]) -> str:
    """What a schema is, in words: the keys that are promised."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return ", or ".join(map(_shape, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"a list of {_shape(schema['items'])}"
    keys = ", ".join(schema.get("properties", ()))
    return f"`{{{keys}}}`" if keys else "an object"


def _rows(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) if rows else ""
