"""A cluster of real server processes: made, broken, asked as a whole, and always ended.

What lives here: which servers there are, what they agree on, and cutting links between them. What does not: load and
what must hold under it (load.py, verdict.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from commands.agreement import missing
from tests.support.blocks import PortBlock
from tests.support.server import Server
from tests.support.waiting import wait_until
from transport.errors import QuorateError

PORT_STEP = 10
VOTERS_MAX = 5
TAIL_LINES = 60

State = dict[str, tuple[bytes, int]]


class Cluster:
    """Servers s0, s1, … under `folder`. The first founds the cluster; the others have it as their peer."""

    def __init__(self, folder: Path, *, key: Path | None = None) -> None:
        self.folder = folder
        self.key = key
        self.servers: list[Server] = []
        self._ports = PortBlock()
        folder.mkdir(parents=True, exist_ok=True)

    def port(self, index: int) -> int:
        """The port of server `index`; the nine after it are its own too."""
        return self._ports.first + PORT_STEP * index

    def add(self, *options: str, join: Server | None = None, index: int | None = None) -> Server:
        """One more server, not started. It joins by `join`, or by the first server when there is one.

        index: of its name and port, by default as many as there are servers.
        """
        index = len(self.servers) if index is None else index
        peer = join or (self.servers[0] if self.servers else None)
        peers = ["--peer", peer.address] if peer else []
        server = Server(self.folder, f"s{index}", self.port(index), *peers, *options, key=self.key)
        self.servers.append(server)
        return server

    def form(self, count: int = 3) -> Cluster:
        """Start `count` servers at the same time and wait until they agree."""
        for _ in range(count):
            self.add().start()
        self.agree()
        return self

    def close(self) -> None:
        """End every process."""
        for server in self.servers:
            server.clean_up()
        self._ports.close()

    def tails(self) -> list[tuple[str, str]]:
        """The end of each server's log, for the report of a failed test."""
        return [
            (f"log of {server} at {server.address}", "\n".join(server.log_text().splitlines()[-TAIL_LINES:]))
            for server in self.servers
        ]

    # --- what the servers agree on ----------------------------------------------------------------------------------

    @property
    def running(self) -> list[Server]:
        """The servers whose processes live."""
        return [server for server in self.servers if server.is_running]

    def disagreement(self, servers: Iterable[Server] | None = None) -> str:
        """What keeps the servers (all that run if not given) from agreeing; "" when they agree."""
        chosen = list(servers or self.running)
        ended = [server.name for server in chosen if not server.is_running]
        if ended:
            return f"{', '.join(ended)} ended"
        return missing([server.look() for server in chosen], min(len(chosen), VOTERS_MAX))

    def agree(self, servers: Iterable[Server] | None = None) -> float:
        """Wait until the servers (all that run if not given) agree; returns for how many seconds that took."""
        began = time.monotonic()
        chosen = list(servers or self.running)
        why = [""]

        def agreed() -> bool:
            why[0] = self.disagreement(chosen)
            return not why[0]

        try:
            wait_until("the servers agree", agreed)
        except AssertionError as error:
            raise AssertionError(f"{error}; what is missing: {why[0]}") from None
        return time.monotonic() - began

    def leader(self, among: Iterable[Server] | None = None) -> Server:
        """Who leads, once one of the servers (all that run if not given) says it does and a majority follows."""
        chosen = list(among or self.running)

        def leading() -> Server | None:
            for server in chosen:
                said = server.look()
                if said is not None and said["role"] == "leader" and said["quorum"]:
                    return server
            return None

        return wait_until("a server leads", leading)

    def followers(self) -> list[Server]:
        """Every running server but the leader."""
        leader = self.leader()
        return [server for server in self.running if server is not leader]

    def same_state(self, servers: Iterable[Server] | None = None) -> State:
        """The state, once all servers (that run if not given) have applied what is committed and have the same."""
        chosen = list(servers or self.running)

        def level() -> bool:
            said = [server.status() for server in chosen]
            return len({status["applied_index"] for status in said}) == 1 and all(
                status["applied_index"] == status["commit_index"] for status in said
            )

        wait_until("every server has applied what is committed", level)
        first, *rest = [server.state() for server in chosen]
        for server, other in zip(chosen[1:], rest, strict=True):
            different = {key for key in first.keys() | other.keys() if first.get(key) != other.get(key)}
            assert not different, f"{chosen[0]} and {server} differ in {len(different)} keys: {sorted(different)[:5]}"
        return first

    # --- faults -----------------------------------------------------------------------------------------------------

    @staticmethod
    def cut(one: Server, other: Server, *, one_way: bool = False) -> None:
        """Cut the link between two servers; with `one_way` only what `one` sends to `other` is lost."""
        one.ask("fault.cut", {"address": other.address, "inbound": not one_way, "outbound": True})
        other.ask("fault.cut", {"address": one.address, "inbound": True, "outbound": not one_way})

    def isolate(self, server: Server) -> None:
        """Cut a server off from all others; clients still reach it."""
        for other in self.running:
            if other is not server:
                self.cut(server, other)

    def heal(self) -> None:
        """Mend every cut link."""
        for server in self.running:
            server.ask("fault.heal")

    def leaders_logged(self) -> dict[int, set[str]]:
        """Every leader a server has logged, by term, as the beginnings of ids."""
        ids: dict[str, str] = {}
        for server in self.running:
            with suppress(QuorateError):
                ids |= {row["name"]: row["id"][:8] for row in server.ask("members")}
        found: dict[int, set[str]] = {}
        for server in self.servers:
            for term, leader in server.leaders_logged():
                found.setdefault(term, set()).add(ids.get(leader, leader))
        return found
