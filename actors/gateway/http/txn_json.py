"""Transactions as JSON, for the command line and HTTP.

    {"when": [{"key": "lock", "test": "==", "revision": 0}],
     "then": [{"op": "put", "key": "lock", "value": "me"}],
     "otherwise": [{"op": "get", "key": "lock"}]}

What lives here: from JSON to a command, and from its result to JSON.  What does not: what it does (storage/kv.py).  A
field that is not known is refused: a condition misspelt would be none at all.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

import msgspec

from actors.gateway.reports import pair_report
from storage.kv_protocol import Answered, Compare, Delete, Found, Get, Op, Put, Test, Txn, decode_command, txn
from transport.text import shortened


class TransactionError(ValueError):
    """The JSON is no transaction; the text says why."""


class _Value(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Something with a value, as text or in base64."""

    value: str | None = None
    value_base64: str | None = None

    def raw(self) -> bytes:
        """The bytes."""
        if self.value is not None and self.value_base64 is None:
            return self.value.encode()
        if self.value is not None or self.value_base64 is None:
            raise TransactionError("a value is given either as `value` or as `value_base64`")
        try:
            return b64decode(self.value_base64, validate=True)
        except Base64Error as error:
            raise TransactionError(f"value_base64 of {shortened(self.value_base64)}: {error}") from None


class _Compare(_Value, forbid_unknown_fields=True, kw_only=True):
    key: str
    test: Test = "=="
    revision: int | None = None

    def made(self) -> Compare:
        if self.revision is None:
            return Compare(self.key, "value", self.test, self.raw())
        if self.value is not None or self.value_base64 is not None:
            raise TransactionError("a comparison is of a revision or of a value, not of both")
        return Compare(self.key, "revision", self.test, self.revision)


class _Put(_Value, tag="put", tag_field="op", forbid_unknown_fields=True, kw_only=True):
    key: str

    def made(self) -> Op:
        return Put(self.key, self.raw())


class _Delete(msgspec.Struct, tag="delete", tag_field="op", forbid_unknown_fields=True):
    key: str

    def made(self) -> Op:
        return Delete(self.key)


class _Get(msgspec.Struct, tag="get", tag_field="op", forbid_unknown_fields=True):
    key: str

    def made(self) -> Op:
        return Get(self.key)


class _Txn(msgspec.Struct, forbid_unknown_fields=True):
    then: list[_Put | _Delete | _Get]
    when: list[_Compare] = []
    otherwise: list[_Put | _Delete | _Get] = []


_decode = msgspec.json.Decoder(_Txn).decode


def parse_txn(text: bytes) -> bytes:
    """The command.  Raises TransactionError."""
    if not text:
        raise TransactionError("it is empty")
    try:
        parsed = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransactionError(str(error)) from None
    return txn(
        [one.made() for one in parsed.when],
        [one.made() for one in parsed.then],
        [one.made() for one in parsed.otherwise],
    )


def keys_of(command: bytes) -> set[str]:
    """The keys that a transaction is about, to compare, read or write."""
    decoded = decode_command(command)
    assert isinstance(decoded, Txn), "parse_txn makes transactions"
    return {one.key for part in (decoded.when, decoded.then, decoded.otherwise) for one in part}


def answer_report(answered: Answered) -> dict[str, Any]:
    """The result.  A get is answered with the key or null, a delete with whether it was there, a put with null."""
    results = [pair_report(one) if isinstance(one, Found) else one for one in answered.results]
    return {"succeeded": answered.succeeded, "revision": answered.revision, "results": results}
