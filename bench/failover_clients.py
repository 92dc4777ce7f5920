"""The clients of a failover: how a write is tried on a cluster whose leader is about to go, and looked for later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp

from bench.etcd_cluster import EtcdCluster, encoded
from bench.loads import VALUE
from bench.quorate_cluster import QuorateCluster
from quorate import Client


class Store(Protocol):
    """A connection to a cluster."""

    async def put(self, key: str) -> None:
        """Write a key once.  Raises an error of the client's own when it is not known to be written."""

    async def has(self, key: str) -> bool:
        """Whether a key is there, read linearizably."""


class QuorateStore:
    """Quorate's own client, which knows all servers and finds the new leader."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(self, key: str) -> None:
        """Write a key."""
        await self._client.kv.put(key, VALUE)

    async def has(self, key: str) -> bool:
        """Read a key."""
        return await self._client.kv.get(key) is not None


class EtcdStore:
    """etcd's JSON gateway, on the servers that stay, in turns."""

    def __init__(self, session: aiohttp.ClientSession, addresses: list[str]) -> None:
        self._session = session
        self._addresses = addresses

    async def put(self, key: str) -> None:
        """Write a key."""
        await self._call("put", {"key": encoded(key.encode()), "value": encoded(VALUE)})

    async def has(self, key: str) -> bool:
        """Read a key."""
        answer = await self._call("range", {"key": encoded(key.encode())})
        return "kvs" in answer

    async def _call(self, method: str, body: dict[str, str]) -> dict[str, object]:
        self._addresses.append(self._addresses.pop(0))
        async with self._session.post(f"http://{self._addresses[0]}/v3/kv/{method}", json=body) as response:
            answer: dict[str, object] = await response.json()
            return answer


@asynccontextmanager
async def connect(cluster: QuorateCluster | EtcdCluster, leader: int) -> AsyncIterator[Store]:
    """A connection that survives the leader."""
    if isinstance(cluster, QuorateCluster):
        async with Client(*cluster.addresses) as client:
            yield QuorateStore(client)
    else:
        addresses = [address for index, address in enumerate(cluster.addresses) if index != leader]
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            yield EtcdStore(session, addresses)
