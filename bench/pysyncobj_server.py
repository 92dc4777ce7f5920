"""One server of raw PySyncObj: a replicated dict behind a small ZeroMQ front end, in one thread.

    python -m bench.pysyncobj_server INDEX BASE_PORT CONFIGURATION

The front end's socket is polled by PySyncObj's own poller, so that no second thread fights for the interpreter, and
nothing waits for a tick.  PySyncObj keeps everything in memory here and syncs nothing to disk.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import msgspec
import zmq
from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf
from pysyncobj.batteries import ReplDict

from bench.loads import Kind
from bench.ports import HOST
from bench.pysyncobj_protocol import CONFIGURATIONS, Answer, AnswerFrame, Asked, RequestFrame, engine_port, front_port

SERVERS = 3
_READABLE = 1


class _Waiting:
    """A request some of whose commands have no result yet."""

    def __init__(self, client: bytes, number: int, missing: int) -> None:
        self.client = client
        self.number = number
        self.missing = missing
        self.failed = 0


class Server:
    """index: of this server among the three.  configuration: a name out of CONFIGURATIONS."""

    def __init__(self, index: int, base_port: int, configuration: str) -> None:
        addresses = [f"{HOST}:{engine_port(base_port, each)}" for each in range(SERVERS)]
        self._configuration = CONFIGURATIONS[configuration]
        self._dict = ReplDict()
        self._engine: Any = SyncObj(
            addresses[index],
            [address for address in addresses if address != addresses[index]],
            # A server that was started a moment later would be tried again after 5 s.
            SyncObjConf(autoTick=False, connectionRetryTime=0.1, **self._configuration.settings),
            consumers=[self._dict],
        )
        self._router: zmq.SyncSocket = zmq.Context.instance().socket(zmq.ROUTER)
        self._router.setsockopt(zmq.SNDHWM, 0)
        self._router.setsockopt(zmq.RCVHWM, 0)
        self._router.bind(f"tcp://{HOST}:{front_port(base_port, index)}")
        self._answers: dict[bytes, list[Answer]] = {}
        self._decode = msgspec.msgpack.Decoder(RequestFrame).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def run(self) -> None:
        """Serve until the process is ended."""
        self._engine._poller.subscribe(self._router.getsockopt(zmq.FD), lambda *_: self._take(), _READABLE)
        # Between applying and polling: an answer made in a tick does not wait for the next event.
        self._engine.addOnTickCallback(self._turn)
        while True:
            self._engine.doTick(self._configuration.tick_s)

    def _turn(self) -> None:
        for client, answers in self._answers.items():
            self._router.send_multipart([client, self._encode(AnswerFrame(answers))])
        self._answers = {}
        # The descriptor tells of a change once, and sending may have taken that up.
        self._take()

    def _take(self) -> None:
        while int(self._router.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            client, frame = self._router.recv_multipart(zmq.NOBLOCK)
            request = self._decode(frame)
            if request.asks_for_leader:
                self._answer(client, Answer(0, 0 if self._leads_all() else 1))
            for asked in request.asked:
                self._submit(client, asked)

    def _leads_all(self) -> bool:
        """A leader that one of the others has not connected to yet would be measured with less to do."""
        return self._engine._isLeader() and all(map(self._engine.isNodeConnected, self._engine.otherNodes))

    def _submit(self, client: bytes, asked: Asked) -> None:
        waiting = _Waiting(client, asked.number, len(asked.keys))
        done = functools.partial(self._on_result, waiting)
        for key in asked.keys:
            if asked.kind == Kind.PUT:
                self._dict.set(key, asked.value, callback=done)
            else:
                # PySyncObj reads locally, which is not linearizable.  A read that goes through the log is; this
                # command returns the value and changes nothing.
                self._dict.setdefault(key, b"", callback=done)

    def _on_result(self, waiting: _Waiting, value: bytes | None, reason: int) -> None:
        waiting.missing -= 1
        waiting.failed += reason != FAIL_REASON.SUCCESS
        if not waiting.missing:
            self._answer(waiting.client, Answer(waiting.number, waiting.failed, value or b""))

    def _answer(self, client: bytes, answer: Answer) -> None:
        self._answers.setdefault(client, []).append(answer)


if __name__ == "__main__":
    Server(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run()
