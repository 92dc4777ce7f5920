"""The actors of one server, and what each is made with.

What lives here: the supervision tree.  What does not: when what of it is started (node.py), and restarts
(runtime/supervisor.py).

``root`` is *rest for one*: each actor may rely on those before it, so when one crashes it and all behind it start
again.  ``edge`` and ``web`` are *one for one*: what serves people and clients fails alone.

    root  persistence → links → gossip → raft → reconciler → keys
    edge  events, console, gateway
    web   http

The modules of those that joining a cluster takes are imported with this one; those of the others by `import_rest`, or
where one of them is made, and for HTTP by `import_http`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import define, evolve

from actors.events.handlers import answers
from actors.gossip.beginning import Wanted
from actors.gossip.config import gossip_config
from actors.gossip.gossip import GossipActor
from actors.links import LinksActor
from actors.persistence import PersistenceActor
from actors.runtime.policy import Strategy
from actors.runtime.supervisor import ChildSpec, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from actors.gateway.control import Control
    from actors.gossip.process import Process
    from actors.keyring.held import HeldRing
    from actors.runtime.actor import Actor, Context
    from actors.runtime.system import System
    from storage.data_dir import DataDir
    from storage.state_machine import StateMachine


def import_rest() -> tuple[ModuleType, ...]:
    """The modules that a server needs beside those that join a cluster; importing them takes as long as all before."""
    from actors import console
    from actors.events import events
    from actors.gateway import gateway
    from actors.keyring import keyring
    from actors.raft import raft
    from actors.reconciler import reconciler
    from storage import kv, sessions

    return console, events, gateway, keyring, raft, reconciler, kv, sessions


def import_http() -> ModuleType:
    """HTTP, whose library takes as long to import as all the rest, and 10 MB."""
    from actors.gateway.http import http

    return http


@define(kw_only=True)
class Wiring:
    """What the actors of one run are made with.

    control: the server as a whole.  machine: makes its state machine, None for the key-value store.  on_escalate: hears
    why a supervisor gave up.
    """

    control: Control
    system: System
    data_dir: DataDir
    held: HeldRing
    app: str
    machine: Callable[[], StateMachine] | None
    process: Process
    on_escalate: Callable[[str], None]
    links: LinksActor | None = None
    """The present incarnation, once there is one."""

    def root(self, *, found_cluster: bool) -> Supervisor:
        """What a server cannot be without."""
        children = [
            ChildSpec("persistence", partial(PersistenceActor, data_dir=self.data_dir)),
            ChildSpec("links", self._links),
            ChildSpec("gossip", self._gossip),
            ChildSpec("raft", partial(self._raft, found_cluster=found_cluster)),
            ChildSpec("reconciler", self._reconciler),
            ChildSpec("keys", self._keys),
        ]
        return self._supervisor("root", Strategy.REST_FOR_ONE, children)

    def edge(self) -> Supervisor:
        """What serves clients and people."""
        children = [ChildSpec("events", self._events), ChildSpec("gateway", self._gateway)]
        if self.control.config.monitor_port:
            children.insert(1, ChildSpec("console", self._console))
        return self._supervisor("edge", Strategy.ONE_FOR_ONE, children)

    def web(self, address: str) -> Supervisor:
        """HTTP at this address."""
        return self._supervisor("web", Strategy.ONE_FOR_ONE, [ChildSpec("http", partial(self._http, address=address))])

    def _supervisor(self, name: str, strategy: Strategy, children: Sequence[ChildSpec]) -> Supervisor:
        return Supervisor(self.system, name, strategy=strategy, children=children, on_escalate=self.on_escalate)

    def _links(self, context: Context) -> LinksActor:
        control = self.control
        self.links = LinksActor(
            context, system=self.system, identity=control.identity, config=control.config, held=self.held
        )
        return self.links

    def _gossip(self, context: Context) -> Actor:
        config, identity = self.control.config, self.control.identity
        return GossipActor(
            context,
            identity=identity,
            config=evolve(gossip_config(config.timing_profile), app=self.app),
            process=self.process,
            wanted=Wanted(
                config.peers,
                expect=0 if identity.cluster_id else config.bootstrap_expect,
                replay=config.replay,
                answers=partial(answers, config.handlers),
            ),
        )

    def _raft(self, context: Context, *, found_cluster: bool) -> Actor:
        from actors.raft.raft import RaftActor
        from storage.kv import KeyValueStore
        from storage.sessions import SessionMachine

        machine = self.machine or KeyValueStore

        return RaftActor(
            context,
            identity=self.control.identity,
            config=self.control.config,
            machine=lambda: SessionMachine(machine()),
            found_cluster=found_cluster,
        )

    def _reconciler(self, context: Context) -> Actor:
        from actors.reconciler.policy import Policy
        from actors.reconciler.reconciler import Reconciler

        return Reconciler(context, policy=Policy.of(self.control.config))

    def _keys(self, context: Context) -> Actor:
        from actors.keyring.keyring import KeyringActor

        return KeyringActor(context, held=self.held, server_id=self.control.identity.id)

    def _events(self, context: Context) -> Actor:
        from actors.events.events import EventsActor

        config = self.control.config
        return EventsActor(context, identity=self.control.identity, handlers=config.handlers, key_file=config.key_file)

    def _console(self, context: Context) -> Actor:
        from actors.console import ConsoleActor

        config = self.control.config
        return ConsoleActor(context, server=self.control.identity.name, first_port=config.monitor_port)

    def _gateway(self, context: Context) -> Actor:
        from actors.gateway.gateway import Gateway

        return Gateway(context, control=self.control)

    def _http(self, context: Context, *, address: str) -> Actor:
        from actors.gateway.http.http import HttpActor

        return HttpActor(context, address=address, tokens=self.control.config.http_tokens)
