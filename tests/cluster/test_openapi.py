"""A real server answers as its OpenAPI document says, whatever schemathesis makes of it, sound and unsound."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from actors.gateway.http.openapi import DOCUMENT, PATHS
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

EXAMPLES = 12
WAITING = ("/v1/watch", "/v1/events")
"""These answer when something happens; test_http.py has them."""

OPERATIONS = [
    (method, path)
    for path, item in PATHS.items()
    for method in item
    if method in ("get", "put", "post", "delete") and path not in WAITING
]
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_a_server_answers_as_documented(cluster: Cluster, mode: GenerationMode) -> None:
    """Status codes, content types and bodies; and nothing of it is a fault of the server (500)."""
    (server,) = cluster.form(1).servers
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    answered = set()

    for method, path in OPERATIONS:
        operation = schema[path][method.upper()]
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue

        @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            response = case.call(base_url=f"http://{server.http}")
            case.validate_response(response, checks=CHECKS)
            assert response.status_code != 500, response.text
            answered.add(response.status_code)

        ask()

    assert {200, 400} <= answered
    server.wait_status("serves on", lambda status: bool(status["quorum"]))
