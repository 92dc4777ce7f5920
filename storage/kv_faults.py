"""What is wrong with a command of the key-value store: found by the store, and by a client before it sends it.

What lives here: the words for it.  What does not: limits and messages (kv_protocol.py).
"""

from collections.abc import Collection, Sequence
from typing import Final

from storage.kv_protocol import KEY_BYTES_MAX, TXN_OPS_MAX, VALUE_BYTES_MAX, Failed, Get, Op, Put, Txn

_SURELY_SHORT_CHARS: Final = KEY_BYTES_MAX // 4
"""A character takes up to four bytes: only a key of more might be too long."""


def puts_fault(keys: Collection[str], values: Collection[bytes]) -> Failed | None:
    """What the store says to these keys and the values at their places, as far as it refuses them."""
    fault = _count_fault(len(keys))
    if fault:
        return fault
    if len(values) != len(keys):
        return Failed("bad_request", f"{len(keys)} keys and {len(values)} values; each key takes one")
    # As a rule nothing is wrong, and the longest of all says so sooner than each of them.
    if not (all(keys) and max(map(len, keys)) <= _SURELY_SHORT_CHARS and max(map(len, values)) <= VALUE_BYTES_MAX):
        fault = next(filter(None, map(put_fault, keys, values)), None)
    return fault or _repeat_fault(keys)


def put_fault(key: str, value: bytes) -> Failed | None:
    """What the store says to this key and value, as far as it refuses them."""
    if not key:
        return Failed("bad_request", "a key must not be empty")
    if len(key) > _SURELY_SHORT_CHARS and len(key.encode()) > KEY_BYTES_MAX:
        return Failed("too_large", f"a key of {len(key.encode())} bytes; the limit is {KEY_BYTES_MAX}")
    if len(value) > VALUE_BYTES_MAX:
        return Failed("too_large", f"a value of {len(value)} bytes; the limit is {VALUE_BYTES_MAX}")
    return None


def txn_fault(command: Txn) -> Failed | None:
    """What the store says to this transaction, whatever it holds, as far as it refuses it."""
    if not command.then and not command.otherwise:
        return Failed("bad_request", "0 operations at once; there is nothing to do")
    for part in (command.when, command.then, command.otherwise):
        if len(part) > TXN_OPS_MAX:
            return _count_fault(len(part))
    for compare in command.when:
        if (compare.of == "value") is not isinstance(compare.operand, bytes):
            return Failed("bad_request", f"the {compare.of} of a key cannot be compared with {compare.operand!r}")
    return _ops_fault(command.then) or _ops_fault(command.otherwise)


def _ops_fault(ops: Sequence[Op]) -> Failed | None:
    written: list[str] = []
    for one in ops:
        if type(one) is Get:
            if one.revision:
                return Failed("bad_request", "a transaction reads what is, not an earlier revision")
            continue
        fault = put_fault(one.key, one.value) if type(one) is Put else None
        if fault:
            return fault
        written.append(one.key)
    return _repeat_fault(written)


def _repeat_fault(keys: Collection[str]) -> Failed | None:
    if len(set(keys)) == len(keys):
        return None
    return Failed("bad_request", "a key is there twice; one command changes a key once")


def _count_fault(count: int) -> Failed | None:
    if 1 <= count <= TXN_OPS_MAX:
        return None
    return Failed("too_large" if count else "bad_request", f"{count} keys at once; the limit is 1 to {TXN_OPS_MAX}")


def no_lease(lease: int) -> Failed:
    """There is no such lease."""
    return Failed("not_found", f"lease {lease} does not exist: it has ended, or there never was one")


def not_found(key: str) -> Failed:
    """There is no such key."""
    return Failed("not_found", f"key {shown(key)} does not exist")


def shown(key: str) -> str:
    """A key in a message."""
    return repr(key if len(key) <= 64 else key[:61] + "...")
