"""A witness: asks every server again and again who it is, and notes who led in which term.

The servers' logs say the same after the fact; the witness also sees leaders that no log line was written about.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tests.support.server import Server
from transport.errors import QuorateError

PERIOD_S = 0.1
ANSWER_TIMEOUT_S = 0.5


class Witness:
    """Watches from `with` to its end. leaders: by term, the ids of those that said they lead or were said to."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.leaders: dict[int, set[str]] = {}
        self.sights = 0
        self._stop = threading.Event()
        # A thread a server: one that is stopped must not keep the others from being watched.
        self._threads = [threading.Thread(target=self._watch, args=(server,), daemon=True) for server in servers]

    def __enter__(self) -> Witness:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, server: Server) -> None:
        while not self._stop.wait(PERIOD_S):
            try:
                with server.client(ANSWER_TIMEOUT_S) as client:
                    while not self._stop.wait(PERIOD_S):
                        self._note(client.call("status"))
            except QuorateError:
                continue

    def _note(self, status: dict[str, object]) -> None:
        term, leader = status["term"], status["leader_id"]
        assert isinstance(term, int)
        self.sights += 1
        if status["role"] == "leader":
            self.leaders.setdefault(term, set()).add(str(status["id"]))
        if leader:
            self.leaders.setdefault(term, set()).add(str(leader))
