"""A lookout: asks every server again and again what it thinks of the others, and notes what must never be.

What lives here: false failures, and voters that would be no majority any more. What does not: who may be down, which is
the test's doing; it says so with `down`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until
from tests.support.witness import ANSWER_TIMEOUT_S, PERIOD_S
from transport.errors import QuorateError


class Lookout:
    """Watches from `with` to its end.

    false_failures: members that were shown as failed though nothing had been done to them. endangered: moments at which
    those of the leader's voters that run were no majority. voters: every number of voters that a leader had.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.false_failures: set[str] = set()
        self.endangered: set[str] = set()
        self.voters: set[int] = set()
        self.sights = 0
        self._cluster = cluster
        self._seen: set[Server] = set()
        """With those that leave: they have a vote until the leader has taken it from them."""
        self._down: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Lookout:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def down(self, server: Server) -> Iterator[None]:
        """The test does something to a server that others may take for its death, until all show it alive again."""
        self._down.add(server.name)
        yield
        for other in self._cluster.running:
            wait_until(f"{other} shows {server} alive", partial(self._shows_alive, other, server))
        self._down.discard(server.name)

    @staticmethod
    def _shows_alive(other: Server, server: Server) -> bool:
        return any(row["name"] == server.name and row["status"] == "alive" for row in other.ask("members"))

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._seen.update(self._cluster.servers)
            for server in list(self._cluster.servers):
                if server.name not in self._down:
                    self._look_through(server)

    def _look_through(self, server: Server) -> None:
        # Before the question: who has left by the time of the answer ran when it had a vote.
        excused, running = set(self._down), {each.name for each in self._seen if each.is_running}
        try:
            with server.client(ANSWER_TIMEOUT_S) as client:
                members, peers = client.call("members"), client.call("raft.peers")
        except QuorateError:
            return  # it starts, or has left
        self.sights += 1
        failed = {row["name"] for row in members if row["status"] == "failed"}
        self.false_failures |= {f"{server} showed {name} as failed" for name in failed - excused - self._down}
        voters = {row["name"] for row in peers if row["voter"]}
        if any(row["name"] == server.name and row["role"] == "leader" for row in peers):
            self.voters.add(len(voters))
            if len(running & voters) * 2 <= len(voters):
                self.endangered.add(f"of {sorted(voters)} only {sorted(running & voters)} ran")
