"""The OpenAPI document has every route of the application with its parameters, and nothing else."""

from __future__ import annotations

from typing import Any, cast

import pytest

from actors.gateway.http.app import make_app
from actors.gateway.http.openapi import DOCUMENT, PATHS
from actors.gateway.limits import TIMEOUT_MAX_S
from actors.runtime.ref import Ref
from tests.unit.gateway.http.play import Gateway, Http
from transport.address import parse_address

OPERATIONS = [
    (method, path) for path, item in PATHS.items() for method in item if method in ("get", "put", "post", "delete")
]


def parameters(method: str, path: str) -> list[dict[str, Any]]:
    """The query parameters of an operation."""
    return [one for one in PATHS[path][method]["parameters"] if one["in"] == "query"]


def test_the_document_has_every_route_and_no_other() -> None:
    """The files of the status page are no API."""
    app = make_app(cast("Ref", Gateway()), parse_address("127.0.0.1:7947"))
    routes = {(route.method.lower(), route.resource.canonical) for route in app.router.routes() if route.resource}
    served = {(m, path) for m, path in routes if m != "head" and path != "/" and not path.startswith("/page/")}

    assert served == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_an_operation_has_the_parameters_of_its_route(http: Http, method: str, path: str) -> None:
    """The application lists them when it refuses one."""
    status, body = await http(method, path.replace("{key}", "k") + "?no_such_parameter=1")

    assert status == 400
    _, _, taken = body["message"].partition(" here takes ")
    assert set(taken.split(", ")) == {one["name"] for one in parameters(method, path)}


async def test_it_is_served(http: Http) -> None:
    """As it is here."""
    assert await http("GET", "/v1/openapi.json") == (200, DOCUMENT)


def test_references_lead_somewhere_and_limits_are_the_application_s() -> None:
    """Every $ref has its schema, and every schema is used."""

    def walk(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
            return own.union(*map(walk, node.values()))
        return set().union(*map(walk, node)) if isinstance(node, list) else set()

    assert walk(DOCUMENT) | {"Error"} == set(DOCUMENT["components"]["schemas"])
    timeout = next(one for one in parameters("get", "/v1/status") if one["name"] == "timeout")
    assert timeout["schema"]["maximum"] == TIMEOUT_MAX_S
