"""One server: starts its actors in order, and ends with an exit code.

What lives here: the life of a whole server: start, leave, stop, give up.  What does not: which actors there are and how
they are made (wiring.py), anything they do, and what a request of the program around takes (requests.py).  Embedding a
server in a program begins with ``Node`` too (``quorate.Node``).

A start is in three steps.  What joins a cluster comes first, since Python takes as long to import the rest as for all
before it, and is at it, in a thread, while others hear of this server: gossip; then what serves clients, who may ask
while Raft reads its log; then Raft, and what relies on it.  HTTP, whose library is the largest, comes last.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from actors.app import STORE, app_name, load_app
from actors.config import DEFAULT_PORT, ConfigError, NodeConfig
from actors.console_ports import check_console_ports
from actors.faults import LinkFaults
from actors.gateway.http.address import check_http
from actors.gateway.log_tap import LogTap
from actors.gossip.process import Process
from actors.identity import Identity
from actors.keyring.held import HeldRing
from actors.leaving import Leaving
from actors.requests import Requests
from actors.runtime.system import System
from actors.wiring import Wiring, import_http, import_rest
from storage.data_dir import DataDir
from storage.serf_db import SerfState
from storage.state_machine import StateMachine
from transport.address import parse_address
from transport.client.errors import Unreachable
from transport.client.stale import Stale, age_s
from transport.errors import QuorateError
from transport.keys import ClusterKey, load_cluster
from transport.links.links import check_free
from transport.ring import Ring, starting_ring

if TYPE_CHECKING:
    from actors.runtime.ref import Ref
    from actors.runtime.supervisor import Supervisor

EXIT_OK = 0
EXIT_GAVE_UP = 70
ANSWER_GRACE_S = 0.3
"""After a leave: how long the process lives on, so that the answer reaches whoever asked."""

_log = logging.getLogger("quorate.node")


class Node:
    """One server inside this process and event loop: `async with Node(config) as node` starts and stops it.

    ``machine()`` makes an empty state machine; None takes that of ``config.app``, or the key-value store.  Raises
    ConfigError or AppError, one clear line each.
    """

    def __init__(self, config: NodeConfig, machine: Callable[[], StateMachine] | None = None) -> None:
        config.check()
        self.config = config
        self.identity: Identity
        self.system: System
        self._machine = machine or (load_app(config.app) if config.app else None)
        self._app = app_name(self._machine) if self._machine else STORE
        self.remembered: list[str] = []
        """Addresses of the members from before this start, those that are down too."""
        self._held: HeldRing
        self._data_dir: DataDir
        self._is_open = self._is_starting = False
        self._wiring: Wiring
        self._supervisors: list[Supervisor] = []
        self._started_at = time.monotonic()
        self._exit: asyncio.Future[int]
        self.logs = LogTap(f"{random.SystemRandom().getrandbits(32):08x}")
        self._requests = Requests(self._gateway)
        self._leaving: asyncio.Task[dict[str, Any]] | None = None
        self._failure: QuorateError | None = None
        self._gave_up = ""
        """Why, in one line: nothing that is asked of it comes to anything any more."""

    # --- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start every actor.  Raises QuorateError with one clear line; nothing stays behind then."""
        if self._is_open or self._is_starting:
            raise RuntimeError("this node runs already, or a start of it has not ended yet")
        config = self.config
        self._exit = asyncio.get_running_loop().create_future()
        self._gave_up = ""
        key = load_cluster(config.key_file) if config.key_file else None
        self._data_dir = DataDir.open(config.data_dir)
        self._is_open = self._is_starting = True
        try:
            self.logs.open()
            found_cluster = self._take_up(key)
            self.system = System(
                server_id=lambda: self.identity.id,
                address=lambda: self.identity.address,
                rng=random.Random(),
            )
            self._wiring = Wiring(
                control=self,
                system=self.system,
                data_dir=self._data_dir,
                held=self._held,
                app=self._app,
                machine=self._machine,
                process=Process(self.system.loop_lag_s, self._fail),
                on_escalate=self._give_up,
            )
            await self._start_actors(found_cluster)
        except BaseException as error:
            was_stopped = not self._is_open
            await self.stop()
            if was_stopped and isinstance(error, Exception | asyncio.CancelledError) and not _is_cancelled():
                # What it has met is what the stop has left of the server.
                raise QuorateError("this node was stopped while it started") from error
            raise
        finally:
            self._is_starting = False

    def _take_up(self, key: ClusterKey | None) -> bool:
        """Go on as who the data directory says; returns whether a cluster is to be founded."""
        config = self.config
        known = self._data_dir.identify(config.name or _default_name(config), self._app)
        self.identity = self._identify(known)
        self.remembered = [member.address for member in known.members]
        self._held = HeldRing(self._choose_ring(key) if key else None)
        # Whoever knows others looks for them.  A crash in the first start may have left a cluster id and no more: then
        # founding goes on (the raft actor founds only on an empty log).
        return not config.peers and all(member.id == known.id for member in known.members)

    async def _start_actors(self, found_cluster: bool) -> None:
        # A port that is taken ends the start before any other server has heard of this one.
        config = self.config
        check_free(config.bind)
        check_http(config.http_address, config.http_tokens)
        check_console_ports(config.monitor_port)
        # Both supervisors stand before either starts: mail between them is kept.
        edge, root = self._wiring.edge(), self._wiring.root(found_cluster=found_cluster)
        self._supervisors = [edge, root]
        await root.start(through="gossip")
        await self._import(import_rest)
        await edge.start()
        await root.start()
        if config.http_address is not None:
            # For a server that has HTTP alone: its library costs 10 MB.
            await self._import(import_http)
            web = self._wiring.web(config.http_address)
            self._supervisors.insert(0, web)
            await web.start()

    async def _import(self, modules: Callable[[], object]) -> None:
        """In a thread, since the others would take the pause for a failure; no actor is started behind a stop."""
        await asyncio.to_thread(modules)
        if not self._is_open:
            raise asyncio.CancelledError  # as whoever waits for an actor's start gets it

    async def stop(self) -> None:
        """Stop every actor, the edge first: nobody is let in any more.  The server is expected back."""
        if not self._is_open:
            return
        self._is_open = False
        for supervisor in self._supervisors:
            await supervisor.stop()
        self._supervisors.clear()
        if hasattr(self, "system"):
            self.system.close()
        self._data_dir.close()
        self.logs.close()

    async def leave(self) -> dict[str, Any]:
        """Leave the cluster for good; ``wait`` returns 0 a moment later.  Raises QuorateError, and stays then.

        Who asks again joins the attempt under way; who stops waiting does not stop it.
        """
        if self._leaving is None or self._leaving.done():
            self._leaving = asyncio.get_running_loop().create_task(self._leave(), name="leave")
        return await asyncio.shield(self._leaving)

    async def _leave(self) -> dict[str, Any]:
        answer = await Leaving(self.system, self.identity).leave()
        asyncio.get_running_loop().call_later(ANSWER_GRACE_S, self._end, EXIT_OK)
        return answer

    async def wait(self) -> int:
        """Wait until the server has left (0), was asked to stop (0), or gave up (70).

        Raises QuorateError when another live server of the cluster has its name: it was turned away, or it yields.
        """
        code = await asyncio.shield(self._exit)
        if self._failure is not None:
            raise self._failure
        return code

    def request_stop(self) -> None:
        """Make ``wait`` return: somebody wants the process to end."""
        self._end(EXIT_OK)

    # --- using it from the same program ---------------------------------------------------------------------------

    async def propose(self, command: bytes, *, timeout_s: float | None = None) -> bytes:
        """Replicate one command; returns what the state machine answered.  Raises ClientError, as a client does."""
        results: list[bytes] = await self._requests.send("propose", [command], timeout_s)
        return results[0]

    async def read(self, query: bytes, *, timeout_s: float | None = None) -> bytes:
        """Ask the state machine, linearizably.  Raises ClientError."""
        answer: list[Any] = await self._requests.send("read", [query, "linearizable"], timeout_s)
        result: bytes = answer[0]
        return result

    async def read_stale(self, query: bytes, *, timeout_s: float | None = None) -> Stale[bytes]:
        """Ask this server's own copy, at once and without a leader.  Raises ClientError."""
        result, _, age_ms = await self._requests.send("read", [query, "stale"], timeout_s)
        return Stale(result, age_s(age_ms))

    def _gateway(self) -> Ref:
        if not self._is_open:
            raise Unreachable("this node does not run: await start() first")
        if self._gave_up:
            raise Unreachable(f"this node gave up: {self._gave_up}; mend that, then stop() it and start() it again")
        return self.system.ref("gateway", owner="node")

    # --- what the gateway asks of a whole server (actors/gateway/control.py) --------------------------------------

    @property
    def faults(self) -> LinkFaults | None:
        """The fault hooks, when this server was started with them."""
        if not self.config.fault_hooks:
            return None
        return LinkFaults(self.system, lambda: self._wiring.links.links if self._wiring.links else None)

    @property
    def is_starting(self) -> bool:
        """Whether something of its start is still to come; HTTP comes last."""
        return self._is_starting

    def uptime_s(self) -> float:
        """Seconds since this server was made."""
        return time.monotonic() - self._started_at

    def link_stats(self) -> dict[str, Any]:
        """Counters of the links."""
        return self._wiring.links.links.stats() if self._wiring.links else {}

    # --- wiring ---------------------------------------------------------------------------------------------------

    def _identify(self, known: SerfState) -> Identity:
        config = self.config
        identity = Identity(
            known.id, known.name, config.advertised, known.boot, dict(config.tags), known.cluster_id, self._app
        )
        if not identity.cluster_id and config.knows_only_itself:
            raise ConfigError(
                f"--peer {config.peers[0]} is this server itself, which nobody lets in: leave --peer out to start a "
                "new cluster, or name a server of the cluster to join"
            )
        if not identity.cluster_id and not config.peers:
            identity.adopt_cluster(f"{random.SystemRandom().getrandbits(64):016x}")
        return identity

    def _choose_ring(self, key: ClusterKey) -> Ring:
        """The keys to start with: what a rotation has made of the key file's, or that alone."""
        kept = self._data_dir.keyring()
        ring = starting_ring(key, kept)
        if ring is not kept:
            self._data_dir.remove_keyring()
        elif key.fingerprint in ring.retired:
            _log.warning(
                "the key file %s holds key %s, which the cluster has retired: this server goes on %s, from its data "
                "directory; copy the new key file here",
                self.config.key_file,
                key.fingerprint,
                ring,
            )
        return ring

    def _give_up(self, line: str) -> None:
        _log.critical("giving up: %s", line)
        self._gave_up = self._gave_up or line
        self._end(EXIT_GAVE_UP)

    def _fail(self, error: QuorateError) -> None:
        self._failure = self._failure or error
        self._end(error.exit_code)

    def _end(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(code)


def _is_cancelled() -> bool:
    """Whether somebody wants the present task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _default_name(config: NodeConfig) -> str:
    """The host's name; with the port behind it where several servers of one host have to differ."""
    port = parse_address(config.advertised).port
    host = socket.gethostname()
    return host if port == DEFAULT_PORT else f"{host}-{port}"
