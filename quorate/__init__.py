"""The public import of Quorate: run a server inside a program, or be a client of a cluster.

    from quorate import Client

    async with Client("127.0.0.1:7946") as client:
        await client.kv.put("greeting", "hello")

Everything named in `__all__` is stable; everything else in this package may move.  Names are imported when they are
used, because the command line imports this package too, and has 0.3 s.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from quorate.version import __version__

if TYPE_CHECKING:
    from actors.config import NodeConfig
    from actors.node import Node
    from quorate.client import Client
    from quorate.errors import Compacted, Conflict, LeaseLost
    from quorate.key_value import KeyValue
    from quorate.lease import Lease
    from quorate.lock import Lock
    from quorate.sync_client import SyncClient
    from quorate.watch import Update, Watch
    from storage.kv_protocol import Compare, Delete, Get, Put
    from storage.state_machine import StateMachine
    from transport.client.errors import (
        BadRequest,
        ClientError,
        Diverged,
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
    from transport.client.stale import Stale
    from transport.errors import QuorateError

__all__ = [
    "BadRequest",
    "Client",
    "ClientError",
    "Compacted",
    "Compare",
    "Conflict",
    "Delete",
    "Diverged",
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
    value = globals()[name] = getattr(_home(name), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)


def _home(name: str) -> ModuleType:
    """The module that a public name is in."""
    if name == "Node":
        from actors import node

        return node
    if name == "NodeConfig":
        from actors import config

        return config
    if name == "StateMachine":
        from storage import state_machine

        return state_machine
    if name in ("Client", "KeyValue", "Lease", "Lock"):
        from quorate import client

        return client
    if name == "SyncClient":
        from quorate import sync_client

        return sync_client
    if name in ("Update", "Watch"):
        from quorate import watch

        return watch
    if name in ("Compacted", "Conflict", "LeaseLost"):
        from quorate import errors

        return errors
    if name in ("Compare", "Delete", "Get", "Put"):
        from storage import kv_protocol

        return kv_protocol
    if name == "Stale":
        from transport.client import stale

        return stale
    if name == "QuorateError":
        from transport import errors as transport_errors

        return transport_errors
    from transport.client import errors as client_errors

    return client_errors
