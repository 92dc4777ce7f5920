"""Servers for clients to talk to: a ROUTER on a thread that answers as the test says, and sockets that are none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import zmq

from tests.ports import free_ports
from transport.client.protocol import Request, Response, encode_payload
from transport.wire import PROTOCOL_VERSION, ErrorReply, Header, decode_body, encode_body, kind_of, pack, unpack

HANG_UP = b""
"""Instead of an answer: close every connection and the port, as a killed process does."""

Answer = Callable[[Request], Response | ErrorReply | bytes | None]


def ok(request: Request, value: Any) -> Response:
    """The answer of an operation that succeeded."""
    return Response(request.id, "ok", encode_payload(value))


class FakeServer:
    """Answers each request with what `answer(request)` returns: a message, raw bytes, or nothing at all."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.port = port or free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.requests: list[Request] = []
        self._answer = answer
        self._context: zmq.SyncContext = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.bind(f"tcp://{self.address}")
        self._stop_in, self._stop_out = self._pair()
        self._thread = threading.Thread(target=self._serve, name="fake server")
        self._thread.start()

    def _pair(self) -> tuple[zmq.SyncSocket, zmq.SyncSocket]:
        first, second = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        first.bind("inproc://stop")
        second.connect("inproc://stop")
        return first, second

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Go away, connections and all."""
        if not self._context.closed:
            self._stop_out.send(b"")
            self._thread.join()
            self._context.destroy(linger=0)

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._stop_in, zmq.POLLIN)
        while self._stop_in not in dict(poller.poll()):
            who, frame = self._router.recv_multipart()
            header, body = unpack(frame)
            request = decode_body(header.kind, body)
            self.requests.append(request)
            answer = self._answer(request)
            if answer == HANG_UP:
                self._router.close()
                return
            if isinstance(answer, bytes):
                self._router.send_multipart([who, answer])
            elif answer is not None:
                head = Header(PROTOCOL_VERSION, "", kind_of(answer), "", 0, -request.id, None)
                self._router.send_multipart([who, pack(head, encode_body(answer))])
