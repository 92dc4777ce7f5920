"""Raw PySyncObj's side of a load: a blocking loop over one ZeroMQ socket, which costs less than asyncio does."""

from __future__ import annotations

import time

import msgspec
import zmq

from bench.client_process import client_main
from bench.loads import KEY, VALUE, WARM_UP_S, Kind, Load, batch_keys
from bench.pysyncobj_protocol import Answer, AnswerFrame, Asked, RequestFrame
from bench.sample import Sample, SampleError, summarise

ANSWER_TIMEOUT_MS = 10_000


class FrontEnd:
    """The connection to one server's front end."""

    def __init__(self, address: str) -> None:
        self._socket: zmq.SyncSocket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.connect(f"tcp://{address}")
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(AnswerFrame).decode

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def send(self, request: RequestFrame) -> None:
        """Ask."""
        self._socket.send(self._encode(request))

    def receive(self, timeout_ms: int = ANSWER_TIMEOUT_MS) -> list[Answer]:
        """Wait for answers, and take all that there are.  Raises SampleError when none comes in time."""
        if not self._socket.poll(timeout_ms):
            raise SampleError(f"PySyncObj gave no answer within {timeout_ms} ms")
        answers: list[Answer] = []
        while int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            answers += self._decode(self._socket.recv(zmq.NOBLOCK)).answers
        return answers


class _Loop:
    """A closed loop of calls on one front end."""

    def __init__(self, front: FrontEnd, load: Load) -> None:
        self._front = front
        self._load = load
        self._keys = batch_keys(load)
        self._started: dict[int, float] = {}
        self._last = 0

    def run(self, seconds: float) -> tuple[list[float], float]:
        """As closed_loop() does: how long each call took, and how long all of it took."""
        latencies_s: list[float] = []
        began = time.perf_counter()
        end = began + seconds
        self._call(self._load.callers, began)
        while self._started:
            answers = self._front.receive()
            now = time.perf_counter()
            for answer in answers:
                self._check(answer)
                latencies_s.append(now - self._started.pop(answer.number))
            if now < end:
                self._call(len(answers), now)
        return latencies_s, time.perf_counter() - began

    def _call(self, count: int, now: float) -> None:
        value = VALUE if self._load.kind is Kind.PUT else b""
        numbers = range(self._last + 1, self._last + count + 1)
        self._last += count
        self._started.update(dict.fromkeys(numbers, now))
        self._front.send(RequestFrame([Asked(number, self._load.kind, self._keys, value) for number in numbers]))

    def _check(self, answer: Answer) -> None:
        if answer.failed:
            raise SampleError("PySyncObj failed a command")
        if self._load.kind is Kind.GET and answer.value != VALUE:
            raise SampleError("a get did not find what was put")


def drive(addresses: list[str], load: Load, seconds: float) -> Sample:
    """Carry a load out on the first address, the leader's."""
    front = FrontEnd(addresses[0])
    front.send(RequestFrame([Asked(0, Kind.PUT, [KEY], VALUE)]))
    front.receive()
    loop, start_cpu_s = _Loop(front, load), time.process_time()
    warm_up, _ = loop.run(WARM_UP_S)
    latencies_s, elapsed_s = loop.run(seconds)
    return summarise(latencies_s, elapsed_s, batch=load.batch, warm_up_calls=len(warm_up), start_cpu_s=start_cpu_s)


if __name__ == "__main__":
    client_main(drive)
