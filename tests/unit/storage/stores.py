"""What a key-value store says, decoded."""

from __future__ import annotations

from storage.kv import KeyValueStore
from storage.kv_protocol import Failed, KvResult, decode_result


def apply(store: KeyValueStore, command: bytes) -> KvResult:
    """The decoded result of a command."""
    return decode_result(store.apply(command))


def read(store: KeyValueStore, query: bytes) -> KvResult:
    """The decoded result of a query."""
    return decode_result(store.read(query))


def code(result: KvResult) -> str:
    """The code of a failure; "" for a success."""
    return result.code if isinstance(result, Failed) else ""
