"""The gateway of a simulated process: the real book-keeping of requests (actors/gateway/core.py), and its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.gateway.calls import NOT_LEADER
from actors.gateway.core import GatewayCore
from actors.gateway.effects import Answer, ToRaft
from actors.gateway.limits import GatewayLimits
from actors.gateway.messages import Forward, Forwarded
from actors.gateway.watches import WATCH
from actors.runtime.actor import Sender
from tests.simulation.watching import SimWatches

if TYPE_CHECKING:
    from actors.raft.messages import LeaderChanged, Results
    from tests.simulation.guarded import GuardedProcess
    from transport.client.protocol import Request

_LIMITS: Final = GatewayLimits()


class SimGateway:
    """One life's gateway; every event is followed by its effects (actors/gateway/gateway.py)."""

    def __init__(self, process: GuardedProcess) -> None:
        self._process = process
        self._simulation = process.simulation
        self._core = GatewayCore(_LIMITS, epoch=process.life, first_key=0)
        self._watches = SimWatches(process)
        self._is_ticking = False

    def request(self, sender: Sender, request: Request) -> None:
        """A client asks."""
        if request.op == WATCH:
            self._watches.request(sender, request)
            return
        self._core.request(self._process.local_now(), sender, request)
        self._flush()

    def receive(self, source: str, message: Forward | Forwarded) -> None:
        """From another server's gateway."""
        now = self._process.local_now()
        if isinstance(message, Forward):
            self._core.forward(now, Sender(source, self._simulation.address_of(source), "gateway", 0), message)
        else:
            self._core.forwarded(now, message)
        self._flush()

    def results(self, results: Results) -> None:
        """This server's Raft answers."""
        self._core.results(self._process.local_now(), results)
        self._flush()

    def leader_changed(self, news: LeaderChanged) -> None:
        """Raft says who leads."""
        self._core.leader_changed(self._process.local_now(), news)
        self._flush()

    def server_gone(self, address: str) -> None:
        """Gossip says that a server is dead or has left."""
        self._core.server_gone(self._process.local_now(), address)
        self._flush()

    def raft_died(self) -> None:
        """This server's Raft died, and with it the answers it owed."""
        self._core.raft_died(self._process.local_now())
        self._flush()
        self._watches.raft_died()

    def applied(self, index: int) -> None:
        """This server's Raft has applied entries up to here."""
        self._watches.applied(index)

    def _tick(self) -> None:
        self._is_ticking = False
        self._core.tick(self._process.local_now())
        self._flush()

    def _flush(self) -> None:
        now, id_ = self._process.local_now(), self._process.id
        while effects := self._core.flush(now):
            for effect in effects:
                if isinstance(effect, Answer):
                    self._simulation.answer(id_, effect.sender, effect.response)
                elif isinstance(effect, ToRaft):
                    self._process.from_gateway(effect.message)
                elif not self._simulation.post_to(id_, effect.address, effect.message) and isinstance(
                    effect.message, Forward
                ):
                    self._core.refused(now, [key for key, _ in effect.message.batch], NOT_LEADER)
        if self._core.busy and not self._is_ticking:
            self._is_ticking = True
            self._process.later(_LIMITS.tick_s, self._tick)
