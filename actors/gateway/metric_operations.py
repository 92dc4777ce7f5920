"""The operation `metrics`: what every actor of this server counts, gathered.

What lives here: asking.  What does not: what the figures mean (metrics.py).  An actor that does not answer is left out:
a server that is ill is the one whose other figures are wanted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from actors.gateway.arguments import Arguments
from actors.gateway.metrics import Samples, actor_samples, gossip_samples, raft_samples, storage_samples
from actors.gossip.messages import GossipStatusRequest, MembersRequest
from actors.raft.messages import RaftStatusRequest
from actors.runtime.asks import AskError
from storage.commit_times import PersistenceStatusRequest

if TYPE_CHECKING:
    from actors.gateway.control import Control
    from actors.runtime.actor import Context

LOOK_TIMEOUT_S: Final = 1.0


class MetricOperations:
    """The operation of one gateway.  own: the samples of the gateway itself."""

    def __init__(self, context: Context, control: Control, own: Callable[[], Samples]) -> None:
        self._context = context
        self._control = control
        self._own = own
        self.operations = {"metrics": (Arguments, self._metrics)}

    async def _metrics(self, _arguments: Arguments, _timeout_s: float) -> Samples:
        system = self._control.system
        samples = self._own() | actor_samples(
            system.actors(), system.mailboxes(), system.dead_letters(), system.loop_lag_s()
        )
        for part in (self._raft, self._gossip, self._storage):
            samples |= await _or_nothing(part())
        return samples

    async def _raft(self) -> Samples:
        return raft_samples(await self._value("raft", RaftStatusRequest()))

    async def _gossip(self) -> Samples:
        view = await self._context.ref("gossip").ask(MembersRequest(), timeout_s=LOOK_TIMEOUT_S)
        return gossip_samples(
            (str(member.status) for member in view.members), await self._value("gossip", GossipStatusRequest())
        )

    async def _storage(self) -> Samples:
        return storage_samples(await self._value("persistence", PersistenceStatusRequest()))

    async def _value(self, actor: str, question: object) -> Any:
        return (await self._context.ref(actor).ask(question, timeout_s=LOOK_TIMEOUT_S)).value


async def _or_nothing(asked: Awaitable[Samples]) -> Samples:
    try:
        return await asked
    except AskError:
        return {}
