"""What the tests of HTTP share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from actors.gateway.http.app import make_app
from actors.runtime.ref import Ref
from tests.unit.gateway.http.play import Gateway, Http
from transport.address import parse_address


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    """The API before a played gateway."""
    gateway = Gateway()
    async with (
        TestServer(make_app(cast("Ref", gateway), parse_address("127.0.0.1:7947"))) as server,
        ClientSession() as session,
    ):
        yield Http(gateway, server, session)
