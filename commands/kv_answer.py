"""What the key-value store has answered to a command of the command line, or the one line on why that is no answer."""

from __future__ import annotations

from typing import TypeVar

from storage.kv_protocol import Failed, decode_result
from transport.errors import QuorateError

T = TypeVar("T")


def answer_of(result: bytes, kind: type[T], error: type[QuorateError]) -> T:
    """The answer, decoded.  Raises `error` when it is a failure, or comes from another state machine (start --app)."""
    try:
        decoded = decode_result(result)
    except ValueError:
        decoded = None
    if isinstance(decoded, Failed):
        raise error(decoded.message)
    if not isinstance(decoded, kind):
        raise error("the servers run another state machine than the key-value store: `info` names their app")
    return decoded
