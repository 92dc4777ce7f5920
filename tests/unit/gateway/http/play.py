"""The HTTP API before a gateway that is played."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import BaseTestServer

from actors.runtime.asks import AskError
from storage.kv import KeyValueStore
from transport.client.protocol import Request, Response, decode_payload, encode_payload

HEALTH = {
    "node": "one",
    "healthy": True,
    "ready": True,
    "checks": [{"name": "leader", "ok": True, "detail": "one leads in term 1"}],
}


class Gateway:
    """Answers as the gateway would whose state machine is the store; `failure` replaces every answer."""

    def __init__(self) -> None:
        self.store = KeyValueStore()
        self.requests: list[Request] = []
        self.failure: tuple[str, str] | AskError | None = None
        self.age_ms = 250
        self.health: dict[str, Any] = dict(HEALTH)
        self.metrics: dict[str, Any] = {}

    async def ask(self, msg: Request, *, timeout_s: float) -> Response:
        """One answer."""
        self.requests.append(msg)
        if isinstance(self.failure, AskError):
            raise self.failure
        if self.failure is not None:
            return Response(msg.id, self.failure[0], b"", self.failure[1])
        return Response(msg.id, "ok", encode_payload(self._value(msg)))

    def _value(self, msg: Request) -> Any:
        payload = decode_payload(msg.payload)
        if msg.op == "propose":
            return [self.store.apply(command) for command in payload]
        if msg.op == "read":
            return [self.store.read(payload[0]), 1, self.age_ms]
        named = {"health": self.health, "metrics": self.metrics}
        return named.get(msg.op, [{"op": msg.op}])


class Http:
    """A running API and somebody who uses it."""

    def __init__(self, gateway: Gateway, server: BaseTestServer, session: ClientSession) -> None:
        self.gateway = gateway
        self.port = server.port
        self._server = server
        self._session = session

    async def __call__(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Status and JSON of one request."""
        async with self._session.request(method, self._server.make_url(path), **more) as response:
            return response.status, await response.json()

    async def raw(self, method: str, path: str, host: str = "localhost") -> tuple[int, Any]:
        """Status and JSON of one request whose path is sent as it is."""
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            named = f"Host: {host}\r\n" if host else ""
            writer.write(f"{method} {path} HTTP/1.0\r\n{named}Content-Length: 1\r\n\r\n1".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
        return int(head.split()[1]), json.loads(body)

    async def text(self, path: str) -> tuple[int, str]:
        """Status and text of one GET."""
        async with self._session.get(self._server.make_url(path)) as response:
            return response.status, await response.text()

    async def status(self, path: str, headers: dict[str, str]) -> int:
        """The status of one GET with these headers."""
        async with self._session.get(self._server.make_url(path), headers=headers) as response:
            return response.status

    async def headers(self, method: str, path: str) -> dict[str, str]:
        """The headers of the answer."""
        async with self._session.request(method, self._server.make_url(path)) as response:
            return dict(response.headers)
