"""One server: puts the actors together, starts them in order, and ends with an exit code.

What lives here: the wiring and the life of a whole server: start, leave, stop, give up.  What does not: anything an
actor does, and what a request of the program around takes (requests.py).  Embedding a server in a program begins with
``Node`` too (``quorate.Node``).

The tree.  ``root`` is *rest for one*: each actor may rely on those before it, so when one crashes it and all behind it
start again.  ``edge`` and ``web`` are *one for one*: what serves people and clients fails alone.

    root  persistence → links → gossip → raft → reconciler → keys
    edge  events, console, gateway
    web   http
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve

from actors.app import app_name, load_app
from actors.config import DEFAULT_PORT, ConfigError, NodeConfig
from actors.console import ConsoleActor
from actors.events.events import EventsActor
from actors.events.handlers import answers
from actors.faults import LinkFaults
from actors.gateway.gateway import Gateway
from actors.gateway.http.address import check_http
from actors.gateway.log_tap import LogTap
from actors.gossip.beginning import Wanted
from actors.gossip.config import gossip_config
from actors.gossip.gossip import GossipActor
from actors.gossip.process import Process
from actors.identity import Identity
from actors.keyring.held import HeldRing
from actors.keyring.keyring import KeyringActor
from actors.leaving import Leaving
from actors.links import LinksActor
from actors.persistence import PersistenceActor
from actors.raft.raft import RaftActor
from actors.reconciler.policy import Policy
from actors.reconciler.reconciler import Reconciler
from actors.requests import Requests
from actors.runtime.policy import Strategy
from actors.runtime.supervisor import ChildSpec, Supervisor
from actors.runtime.system import System
from storage.data_dir import DataDir
from storage.kv import KeyValueStore
from storage.serf_db import SerfState
from storage.sessions import SessionMachine
from storage.state_machine import StateMachine
from transport.address import parse_address
from transport.client.errors import Unreachable
from transport.client.stale import Stale, age_s
from transport.errors import QuorateError
from transport.keys import ClusterKey, load_cluster
from transport.links.links import check_free
from transport.ring import Ring, starting_ring

if TYPE_CHECKING:
    from actors.gateway.http.http import HttpActor
    from actors.runtime.ref import Ref

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
        self._machine = machine or (load_app(config.app) if config.app else KeyValueStore)
        self._app = app_name(self._machine)
        self.remembered: list[str] = []
        """Addresses of the members from before this start, those that are down too."""
        self._held: HeldRing
        self._data_dir: DataDir
        self._is_open = self._is_starting = False
        self._links: LinksActor | None = None
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
        if self._is_open:
            raise RuntimeError("this node runs already")
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
            await self._start_actors(found_cluster)
            self._is_starting = False
        except BaseException:
            await self.stop()
            raise

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
        # Both supervisors stand before either starts: mail between them is kept.  The edge comes first, so that a taken
        # console port ends the start before any other server has heard of this one; the server's own is looked at
        # before that, since it is the one that was asked for.
        check_free(self.config.bind)
        check_http(self.config.http_address, self.config.http_tokens)
        self._supervisors = [self._edge(), self._root(found_cluster)]
        for supervisor in self._supervisors:
            await supervisor.start()
        if self.config.http_address is not None:
            await self._start_web(self.config.http_address)

    async def stop(self) -> None:
        """Stop every actor, the edge first: nobody is let in any more.  The server is expected back."""
        if not self._is_open:
            return
        self._is_open = self._is_starting = False
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
        return LinkFaults(self.system, lambda: self._links.links if self._links else None)

    @property
    def is_starting(self) -> bool:
        """Whether something of its start is still to come; HTTP comes last."""
        return self._is_starting

    def uptime_s(self) -> float:
        """Seconds since this server was made."""
        return time.monotonic() - self._started_at

    def link_stats(self) -> dict[str, Any]:
        """Counters of the links."""
        return self._links.links.stats() if self._links else {}

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

    def _root(self, found_cluster: bool) -> Supervisor:
        config, identity, system = self.config, self.identity, self.system
        children = [
            ChildSpec("persistence", partial(PersistenceActor, data_dir=self._data_dir)),
            ChildSpec("links", self._make_links),
            ChildSpec(
                "gossip",
                partial(
                    GossipActor,
                    identity=identity,
                    config=evolve(gossip_config(config.timing_profile), app=self._app),
                    process=Process(system.loop_lag_s, self._fail),
                    wanted=Wanted(
                        config.peers,
                        expect=0 if identity.cluster_id else config.bootstrap_expect,
                        replay=config.replay,
                        answers=partial(answers, config.handlers),
                    ),
                ),
            ),
            ChildSpec(
                "raft",
                partial(
                    RaftActor,
                    identity=identity,
                    config=config,
                    machine=lambda: SessionMachine(self._machine()),
                    found_cluster=found_cluster,
                ),
            ),
            ChildSpec("reconciler", partial(Reconciler, policy=Policy.of(config))),
            ChildSpec("keys", partial(KeyringActor, held=self._held, server_id=identity.id)),
        ]
        return self._supervisor("root", Strategy.REST_FOR_ONE, children)

    def _edge(self) -> Supervisor:
        config = self.config
        children = [
            ChildSpec(
                "events",
                partial(EventsActor, identity=self.identity, handlers=config.handlers, key_file=config.key_file),
            )
        ]
        if config.monitor_port:
            children.append(
                ChildSpec("console", partial(ConsoleActor, server=self.identity.name, first_port=config.monitor_port))
            )
        children.append(ChildSpec("gateway", partial(Gateway, control=self)))
        return self._supervisor("edge", Strategy.ONE_FOR_ONE, children)

    async def _start_web(self, address: str) -> None:
        # aiohttp takes a fifth of a second to import and costs 10 MB, so only a server that has HTTP imports it; in a
        # thread, since the others would take the pause for a failure, and last, since they need not wait for it.
        actor = await asyncio.to_thread(_http_actor)
        children = [ChildSpec("http", partial(actor, address=address, tokens=self.config.http_tokens))]
        self._supervisors.insert(0, self._supervisor("web", Strategy.ONE_FOR_ONE, children))
        await self._supervisors[0].start()

    def _supervisor(self, name: str, strategy: Strategy, children: list[ChildSpec]) -> Supervisor:
        return Supervisor(self.system, name, strategy=strategy, children=children, on_escalate=self._give_up)

    def _make_links(self, context: Any) -> LinksActor:
        self._links = LinksActor(
            context, system=self.system, identity=self.identity, config=self.config, held=self._held
        )
        return self._links

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


def _http_actor() -> type[HttpActor]:
    from actors.gateway.http.http import HttpActor

    return HttpActor


def _default_name(config: NodeConfig) -> str:
    """The host's name; with the port behind it where several servers of one host have to differ."""
    port = parse_address(config.advertised).port
    host = socket.gethostname()
    return host if port == DEFAULT_PORT else f"{host}-{port}"
