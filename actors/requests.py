"""Requests of the program that a server runs in, to that server's own gateway.

What lives here: the request, the wait for its answer, and the error that a client would raise in its place.  What does
not: what can be asked (``Node``) and how it is answered (actors/gateway).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from actors.runtime.asks import ActorDied, MailboxFull, Timeout
from transport.client.errors import IN_DOUBT, OutcomeUnknown, Overloaded, error_of
from transport.client.protocol import Code, Request, Response, decode_payload, encode_payload

if TYPE_CHECKING:
    from actors.runtime.ref import Ref

REQUEST_TIMEOUT_S: Final = 10.0
GATEWAY_GRACE_S: Final = 1.0


class Requests:
    """The requests of one node.  ``gateway()``: whom they are sent to; Unreachable when that would be in vain."""

    def __init__(self, gateway: Callable[[], Ref]) -> None:
        self._gateway = gateway
        self._sent = 0

    async def send(self, op: str, payload: object, timeout_s: float | None) -> Any:
        """Ask, and wait for the answer (None: 10 s).  Raises ClientError, as a client does."""
        gateway = self._gateway()
        self._sent += 1
        limit_s = REQUEST_TIMEOUT_S if timeout_s is None else timeout_s
        request = Request(self._sent, op, encode_payload(payload), int(limit_s * 1000))
        # The gateway answers within the limit; the rest is for a gateway that is being restarted.
        try:
            response: Response = await gateway.ask(request, timeout_s=limit_s + GATEWAY_GRACE_S)
        except (MailboxFull, ActorDied, Timeout) as error:
            if op == "propose" and not isinstance(error, MailboxFull):
                raise OutcomeUnknown(f"{error}{IN_DOUBT}") from error
            raise Overloaded(str(error)) from error
        if response.code != Code.OK:
            failure = error_of(response)
            if failure.certainly_not_applied:
                self._gateway()  # raises where the server has given up meanwhile: that is why, and no other try helps
            raise failure
        return decode_payload(response.payload)
