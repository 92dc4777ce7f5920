"""A blocking client for the command line: one server, one request at a time, and the quickest clear answer.

What lives here: connecting, asking, and saying in words why there is no answer.  What does not: retries, several
servers, pipelining (client.py).  This module imports no event loop: a command has 0.3 s from start to end.
"""

from __future__ import annotations

import socket as net
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import zmq

from transport.address import parse_address
from transport.client.dealer import (
    CONNECTED,
    DISCONNECTED,
    FAILED_HANDSHAKES_MAX,
    HANDSHAKE_FAILED,
    HANDSHAKE_REFUSED,
    MONITORED,
    handshake_trouble,
    make_client_socket,
    read_event,
)
from transport.client.errors import IN_DOUBT, ClientError, OutcomeUnknown, TurnedAway, Unreachable, error_of
from transport.client.frames import CHANGES_NOTHING, decode_answer, encode_request
from transport.client.protocol import Code, Request, decode_payload, encode_payload
from transport.client.stale import Stale, age_s
from transport.wire import WireError

if TYPE_CHECKING:
    from transport.keys import ClusterKey

KNOCK_AFTER_S: Final = 0.5
"""How long ZeroMQ may try before the question is asked why it cannot."""

ANSWER_MARGIN_S: Final = 0.5
"""The server ends a request at its deadline and says how; this is for its answer to arrive."""


class SyncClient:
    """A connection to one server.  Use it in a `with`.

    Raises AddressError for an address that is none.  `timeout_s` is for connecting, and for each request.
    """

    def __init__(self, address: str, *, key: ClusterKey | None = None, timeout_s: float = 5.0) -> None:
        self._address = parse_address(address)
        self._key = key
        self._timeout_s = timeout_s
        self._context: zmq.SyncContext = zmq.Context()
        self._socket = make_client_socket(self._context, self._address, key)
        self._monitor = self._socket.get_monitor_socket(MONITORED)
        self._connected = False
        self._last_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the sockets back, at once."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)
        self._context.term()

    def call(self, op: str, arguments: Any = None, *, timeout_s: float | None = None) -> Any:
        """Ask for one operation and return its answer, decoded.

        Raises a ClientError: Unreachable when there is no connection or no answer, OutcomeUnknown when there is no
        answer to what would change something, else what the server says.
        """
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        if not self._connected:
            self._connect(time.monotonic() + self._timeout_s)
        self._last_id += 1
        payload = encode_payload({} if arguments is None else arguments)
        request = Request(self._last_id, op, payload, max(1, round(wait_s * 1000)))
        try:
            self._socket.send(encode_request(request), zmq.NOBLOCK)
        except zmq.Again:
            raise Unreachable(f"{self._address} closed the connection") from None
        return self._await_answer(request, time.monotonic() + wait_s + ANSWER_MARGIN_S)

    def propose(self, command: bytes, *, timeout_s: float | None = None) -> bytes:
        """Have one command applied, and return its result.  Raises as `call` does."""
        (result,) = self.call("propose", [command], timeout_s=timeout_s)
        return bytes(result)

    def read(self, query: bytes, *, timeout_s: float | None = None) -> bytes:
        """The linearizable answer to a query.  Raises as `call` does."""
        result, _, _ = self.call("read", [query, "linearizable"], timeout_s=timeout_s)
        return bytes(result)

    def read_stale(self, query: bytes, *, timeout_s: float | None = None) -> Stale[bytes]:
        """What this server has, with its age.  Raises as `call` does."""
        result, _, age_ms = self.call("read", [query, "stale"], timeout_s=timeout_s)
        return Stale(bytes(result), age_s(age_ms))

    def _connect(self, deadline: float) -> None:
        self._socket.connect(self._address.endpoint)
        has_knocked = False
        failures = 0
        while failures < FAILED_HANDSHAKES_MAX:
            event = self._next_event(deadline if has_knocked else min(deadline, time.monotonic() + KNOCK_AFTER_S))
            if event is not None and event & CONNECTED:
                self._connected = True
                return
            if event is not None and event & HANDSHAKE_REFUSED:
                break
            if event is not None and event & HANDSHAKE_FAILED:
                failures += 1
            elif not has_knocked:
                has_knocked = True
                self._knock(deadline)
            elif event is None:
                raise Unreachable(
                    f"{self._address} accepts connections and says nothing within {self._timeout_s:g} s: "
                    "it is stopped, very busy, or no Quorate server"
                )
        raise TurnedAway(handshake_trouble(self._address, self._key))

    def _knock(self, deadline: float) -> None:
        """Connect by plain TCP, which says why a server cannot be reached; ZeroMQ only says that it cannot."""
        host, port = self._address.host, self._address.port
        family = net.AF_INET6 if self._address.is_ipv6 else net.AF_INET
        try:
            _, _, _, _, target = net.getaddrinfo(host, port, family, net.SOCK_STREAM)[0]
            with net.socket(family, net.SOCK_STREAM) as door:
                door.settimeout(max(0.001, deadline - time.monotonic()))
                door.connect(target)
        except ConnectionRefusedError:
            raise Unreachable(
                f"no server at {self._address} (connection refused): "
                "start one with 'start', or name another with --address HOST:PORT"
            ) from None
        except TimeoutError:
            raise Unreachable(f"no answer from {self._address} within {self._timeout_s:g} s") from None
        except OSError as error:
            raise Unreachable(f"cannot reach {self._address}: {error.strerror or error}") from None

    def _next_event(self, deadline: float) -> int | None:
        """The next event of the monitor, or None at the deadline."""
        while True:
            remaining_ms = max(0, round((deadline - time.monotonic()) * 1000))
            if not self._monitor.poll(remaining_ms):
                return None
            try:
                return read_event(self._monitor)
            except zmq.Again:
                continue

    def _await_answer(self, request: Request, deadline: float) -> Any:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while (remaining_s := deadline - time.monotonic()) > 0:
            ready = dict(poller.poll(round(remaining_s * 1000) + 1))
            # The answer first: it may have arrived just before the connection went.
            if self._socket in ready:
                answered, value = self._take_answer(request)
                if answered:
                    return value
            elif self._monitor in ready and read_event(self._monitor) & DISCONNECTED:
                self._connected = False
                raise self._unanswered(request, "the connection broke before the answer came")
        raise self._unanswered(request, f"no answer within {request.timeout_ms / 1000:g} s")

    def _take_answer(self, request: Request) -> tuple[bool, Any]:
        try:
            response = decode_answer(self._socket.recv(zmq.NOBLOCK))
        except (zmq.Again, WireError):
            return False, None
        if response.id != request.id:
            return False, None
        if response.code == Code.OUTCOME_UNKNOWN and request.op in CHANGES_NOTHING:
            # The gateway died over it: there is no outcome of a question to be in doubt about.
            why = response.message.removesuffix(IN_DOUBT) or "no answer"
            raise Unreachable(f"{self._address}: {why}; ask again, or another server")
        if response.code != Code.OK:
            raise error_of(response)
        return True, decode_payload(response.payload)

    def _unanswered(self, request: Request, why: str) -> ClientError:
        if request.op in CHANGES_NOTHING:
            return Unreachable(f"{self._address}: {why}")
        return OutcomeUnknown(f"{self._address}: {why}{IN_DOUBT}")
