"""Asking a Serf agent over its own protocol: MessagePack over TCP, one question at a time on a connection that stays.

What lives here: the framing and the three commands a benchmark needs.  What does not: agents (serf_agents.py).
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

import msgspec

from bench.ports import HOST

TIMEOUT_S = 15.0
_CHUNK_BYTES = 1 << 16
_ARRAY_OF = {1: b"\x91", 2: b"\x92"}
"""Put before objects that follow each other, they make one object of them, which a decoder can tell the end of."""


class SerfRpcError(Exception):
    """The agent refused a command, or is gone."""


class SerfRpc:
    """A connection to the agent whose RPC listens on this port.  Use it in a `with`."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=TIMEOUT_S)
        self._sequence = 0
        self._call("handshake", {"Version": 1}, with_body=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def statuses(self) -> dict[str, str]:
        """The status of each member, by name, as this agent sees it."""
        return {member["Name"]: member["Status"] for member in self._call("members", None)["Members"]}

    def join(self, address: str) -> None:
        """Join through an agent; returns when it has answered."""
        if not self._call("join", {"Existing": [address], "Replay": False})["Num"]:
            raise SerfRpcError(f"nobody joined through {address}")

    def leave(self) -> None:
        """Leave, and end the agent; returns when it has left."""
        self._call("leave", None, with_body=False)

    def event(self, name: str) -> None:
        """Send a user event, to be delivered at once."""
        self._call("event", {"Name": name, "Payload": b"", "Coalesce": False}, with_body=False)

    def watch_events(self) -> None:
        """From now on this connection only hears user events: `next_event`."""
        self._call("stream", {"Type": "user"}, with_body=False)

    def next_event(self, timeout_s: float) -> str:
        """The name of the next user event."""
        _, event = self._receive(2, timeout_s)
        return str(event["Name"])

    def _call(self, command: str, body: Any, *, with_body: bool = True) -> Any:
        self._sequence += 1
        request = msgspec.msgpack.encode({"Command": command, "Seq": self._sequence})
        self._socket.sendall(request + (b"" if body is None else msgspec.msgpack.encode(body)))
        head, *rest = self._receive(2 if with_body else 1, TIMEOUT_S)
        if head["Error"]:
            raise SerfRpcError(f"{command}: {head['Error']}")
        return rest[0] if rest else None

    def _receive(self, objects: int, timeout_s: float) -> list[Any]:
        """So many objects; nothing may follow them, since one question is asked at a time."""
        self._socket.settimeout(timeout_s)
        received = _ARRAY_OF[objects]
        while True:
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except TimeoutError:
                raise SerfRpcError(f"the agent said nothing for {timeout_s:g} s") from None
            if not chunk:
                raise SerfRpcError("the agent has hung up")
            received += chunk
            try:
                return _decode(received)
            except msgspec.DecodeError as error:
                if "truncated" not in str(error):
                    raise SerfRpcError(f"the agent's answer is not understood: {error}") from None


def _decode(data: bytes) -> list[Any]:
    objects: list[Any] = msgspec.msgpack.decode(data)
    return objects
