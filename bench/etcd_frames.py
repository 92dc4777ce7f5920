"""etcd's requests as gRPC puts them on the wire, for a load generator that sends the same bytes again and again.

Numbers of fields: etcd's api/etcdserverpb/rpc.proto, release 3.4.
"""

from __future__ import annotations

import struct

from bench.loads import KEY, VALUE, Kind, Load, batch_keys

_LENGTH_DELIMITED = 2


def path(load: Load) -> str:
    """The method that a load calls.  A batch is a transaction: etcd has no other way to take several puts at once."""
    if load.kind is Kind.GET:
        return "/etcdserverpb.KV/Range"
    return "/etcdserverpb.KV/Put" if load.batch == 1 else "/etcdserverpb.KV/Txn"


def frame(load: Load) -> bytes:
    """One request of a load: not compressed, its length, the message."""
    message = _message(load)
    return b"\0" + struct.pack(">I", len(message)) + message


def _message(load: Load) -> bytes:
    if load.kind is Kind.GET:
        return _field(1, KEY.encode())
    puts = [_field(1, key.encode()) + _field(2, VALUE) for key in batch_keys(load)]
    if load.batch == 1:
        return puts[0]
    # TxnRequest.success holds RequestOps, whose request_put is field 2.
    return b"".join(_field(2, _field(2, put)) for put in puts)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
