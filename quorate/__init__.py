"""The public import of Quorate: run a server inside a program, or be a client of a cluster.

    from quorate import Client

    async with Client("127.0.0.1:7946") as client:
        await client.kv.put("greeting", "hello")

Everything named in `__all__` is stable; everything else in this package may move.  Names are imported when they are
used, because the command line imports this package too, and has 0.3 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quorate.version import __version__

if TYPE_CHECKING:
    from actors.config import NodeConfig
    from actors.node import Node
    from quorate.client import Client, KeyValue, Stale
    from quorate.errors import Compacted, Conflict, LeaseLost
    from quorate.lease import Lease
    from quorate.lock import Lock
    from quorate.sync_client import SyncClient
    from quorate.watch import Update, Watch
    from storage.kv_protocol import Compare, Delete, Get, Put
    from storage.state_machine import StateMachine
    from transport.client.errors import (
        BadRequest,
        ClientError,
        NoLeader,
        NotFound,
        OutcomeUnknown,
        Overloaded,
        Refused,
        RequestFailed,
        SessionExpired,
        TooLarge,
        Unreachable,
    )
    from transport.errors import QuorateError

__all__ = [
    "BadRequest",
    "Client",
    "ClientError",
    "Compacted",
    "Compare",
    "Conflict",
    "Delete",
    "Get",
    "KeyValue",
    "Lease",
    "LeaseLost",
    "Lock",
    "NoLeader",
    "Node",
    "NodeConfig",
    "NotFound",
    "OutcomeUnknown",
    "Overloaded",
    "Put",
    "QuorateError",
    "Refused",
    "RequestFailed",
    "SessionExpired",
    "Stale",
    "StateMachine",
    "SyncClient",
    "TooLarge",
    "Unreachable",
    "Update",
    "Watch",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = _load(name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)


def _load(name: str) -> Any:
    if name == "Node":
        from actors.node import Node

        return Node
    if name == "NodeConfig":
        from actors.config import NodeConfig

        return NodeConfig
    if name == "StateMachine":
        from storage.state_machine import StateMachine

        return StateMachine
    if name == "QuorateError":
        from transport.errors import QuorateError

        return QuorateError
    if name == "SyncClient":
        from quorate.sync_client import SyncClient

        return SyncClient
    if name in ("Update", "Watch"):
        from quorate import watch

        return getattr(watch, name)
    if name in ("Compare", "Delete", "Get", "Put"):
        from storage import kv_protocol

        return getattr(kv_protocol, name)
    if name in ("Client", "Compacted", "Conflict", "KeyValue", "Lease", "LeaseLost", "Lock", "Stale"):
        from quorate import client

        return getattr(client, name)
    from transport.client import errors as client_errors

    return getattr(client_errors, name)
