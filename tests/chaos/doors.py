"""Ways into a cluster for clients of registers: the client library, with and without a session, and one server's HTTP.

What lives here: reading, writing and comparing through each, and which errors mean "certainly not done". What does not:
what is asked and when, and noting it (registers.py).

A key of the store is a register of text. A door remembers what it last saw of a key, since that is what one compares
with: by value in the library, by revision over HTTP. Every value is written once, so the two mean the same.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Executor
from http.client import HTTPConnection, HTTPException
from typing import Any, Literal
from urllib.parse import quote

from quorate.client import Client
from transport.client.errors import ClientError

Consistency = Literal["linearizable", "stale"]

ANSWER_TIMEOUT_S = 2.0
SILENCE_TIMEOUT_S = 3.0
"""A server that stands still does not even say that time is up."""


class NotDoneError(Exception):
    """Certainly not carried out."""


class InDoubtError(Exception):
    """Carried out or not, now or later."""


def is_not_done(error: BaseException) -> bool:
    """Whether an error of a door says that nothing was done, nor will be."""
    return isinstance(error, NotDoneError) or (isinstance(error, ClientError) and error.certainly_not_applied)


class Door(ABC):
    """One way in. Raises NotDoneError, InDoubtError or a ClientError."""

    @abstractmethod
    async def read(self, key: str) -> str | None:
        """The value, None if there is none."""

    @abstractmethod
    async def write(self, key: str, value: str) -> None:
        """Set it."""

    @abstractmethod
    async def cas(self, key: str, new: str) -> bool:
        """Set it if it still is what was last seen; whether it was."""

    @abstractmethod
    def seen(self, key: str) -> str | None:
        """What was last seen of it, None if that is nothing."""


class LibraryDoor(Door):
    """The client library, which goes wherever the leader is."""

    def __init__(self, client: Client, consistency: Consistency) -> None:
        self._client = client
        self._consistency = consistency
        self._seen: dict[str, str | None] = {}

    async def read(self, key: str) -> str | None:
        kv, is_stale = self._client.kv, self._consistency == "stale"
        found = (await kv.get_stale(key)).answer if is_stale else await kv.get(key)
        self._seen[key] = found.value.decode() if found else None
        return self._seen[key]

    async def write(self, key: str, value: str) -> None:
        await self._client.kv.put(key, value)
        self._seen[key] = value

    async def cas(self, key: str, new: str) -> bool:
        done = await self._client.kv.cas(key, self.seen(key), new)
        if done:
            self._seen[key] = new
        return done

    def seen(self, key: str) -> str | None:
        return self._seen.get(key)


class HttpDoor(Door):
    """One server's HTTP, whoever leads. Nothing is ever sent twice, as aiohttp's client would with a PUT."""

    def __init__(self, address: str, threads: Executor, consistency: Consistency) -> None:
        self._connection = HTTPConnection(address, timeout=SILENCE_TIMEOUT_S)
        self._threads = threads
        self._consistency = consistency
        self._seen: dict[str, tuple[str | None, int]] = {}

    async def read(self, key: str) -> str | None:
        status, body = await self._ask("GET", key, None, consistency=self._consistency)
        value = None if status == 404 else str(body["value"])
        self._seen[key] = (value, body.get("revision", 0))
        return value

    async def write(self, key: str, value: str) -> None:
        _, body = await self._ask("PUT", key, value)
        self._seen[key] = (value, body["revision"])

    async def cas(self, key: str, new: str) -> bool:
        _, revision = self._seen.get(key, (None, 0))
        status, body = await self._ask("PUT", key, new, revision=revision)
        if status == 409:
            return False
        self._seen[key] = (new, body["revision"])
        return True

    def seen(self, key: str) -> str | None:
        return self._seen.get(key, (None, 0))[0]

    async def _ask(self, method: str, key: str, value: str | None, **query: object) -> tuple[int, Mapping[str, Any]]:
        options = "&".join(f"{name}={chosen}" for name, chosen in (query | {"timeout": ANSWER_TIMEOUT_S}).items())
        path = f"/v1/kv/{quote(key)}?{options}"
        loop = asyncio.get_running_loop()
        status, body = await loop.run_in_executor(self._threads, self._exchange, method, path, value)
        if status == 503:
            raise NotDoneError(body["message"])
        if status in (500, 504):
            raise InDoubtError(body["message"])
        assert status in (200, 404, 409), f"{method} {path}: {status}: {body}"
        return status, body

    def _exchange(self, method: str, path: str, value: str | None) -> tuple[int, Mapping[str, Any]]:
        """In a thread: one request and its answer."""
        try:
            self._connection.connect()
        except OSError as error:
            self._connection.close()
            raise NotDoneError(str(error)) from None
        try:
            self._connection.request(method, path, value)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, HTTPException, ValueError) as error:
            raise InDoubtError(repr(error)) from None
        finally:
            self._connection.close()
