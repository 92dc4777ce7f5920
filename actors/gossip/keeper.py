"""What the gossip actor has kept in serf.db: at once, or a little later and gathered.

What lives here: the questions to the persistence actor and the patience with a disk that refuses. What does not: the
file (storage/serf_db.py), and when something must be kept (the core's effects say so).
"""

from __future__ import annotations

import logging
from operator import not_
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from tenacity import AsyncRetrying, retry_if_result, wait_fixed

from actors.gossip.effects import Forget, KeepClock, KeepClocks, Remember
from actors.gossip.memory import Memory
from actors.gossip.own import CLOCK_RESERVE, RESERVE
from actors.gossip.tags import TagsError, fault_of_tags, tags_at_start
from actors.runtime.asks import AskError
from storage.serf_db import SerfLoad, SerfLoaded, SerfState, SerfWrite, SerfWritten
from transport.wire import message

if TYPE_CHECKING:
    from actors.identity import Identity
    from actors.runtime.actor import Context, Timer

DISK_TIMEOUT_S = 30.0
DISK_RETRY_S = 1.0
KEEP_DELAY_S = 0.2
"""How long what is to be remembered is gathered before it is written."""

_log = logging.getLogger("quorate.gossip")


@message("gossip.keep")
class Keep(Struct, frozen=True):
    """It is time to write down what is to be remembered."""


class Keeper:
    """The way to the disk of one incarnation of gossip."""

    def __init__(self, context: Context) -> None:
        self.memory = Memory()
        """What is to be found again after a restart; written a little later."""
        self._context = context
        self._persistence = context.ref("persistence")
        self._timer: Timer | None = None

    async def begin(self, identity: Identity) -> SerfState:
        """What serf.db holds, once incarnations and Lamport times above it are reserved for this run."""
        loaded: SerfLoaded = await self._persistence.ask(SerfLoad(), timeout_s=DISK_TIMEOUT_S)
        state = loaded.state
        tags = tags_at_start(state.tags, state.given_tags, identity.tags)
        fault = fault_of_tags(tags)
        if fault:
            raise TagsError(f"{fault} (--tag, and what was set while the server ran)")
        cluster_id = identity.cluster_id or state.cluster_id
        if cluster_id:
            identity.adopt_cluster(cluster_id)
        start = SerfWrite(
            incarnation=state.incarnation + RESERVE,
            clock=state.clock + CLOCK_RESERVE,
            cluster_id=cluster_id or None,
            left=False,
            name=identity.name,
            tags=tags,
            given_tags=dict(identity.tags),
        )
        written: SerfWritten = await self._persistence.ask(start, timeout_s=DISK_TIMEOUT_S)
        if written.error:
            raise RuntimeError(f"cannot reserve incarnations: {written.error}")
        return replace(state, tags=tags)

    async def refusal(self, write: SerfWrite) -> str:
        """Try to write it once; returns why it is not on the disk, or "".  Then it is still to be written."""
        try:
            written: SerfWritten = await self._persistence.ask(write, timeout_s=DISK_TIMEOUT_S)
        except AskError as error:
            return str(error)
        return written.error

    def carry_out(self, effect: Remember | Forget | KeepClock | KeepClocks) -> None:
        """What the core wants kept without waiting for it."""
        match effect:
            case Remember(claim):
                self.memory.remember(claim)
            case Forget(member_id):
                self.memory.forget(member_id)
            case KeepClocks():
                self.memory.keep_clocks(effect)
            case KeepClock(upto):
                self.tell(SerfWrite(clock=upto))

    def tell(self, write: SerfWrite) -> None:
        """Write it, and do not wait for it."""
        self._persistence.tell(write)

    async def written(self, write: SerfWrite) -> None:
        """Write it, however long it takes."""
        await AsyncRetrying(retry=retry_if_result(not_), wait=wait_fixed(DISK_RETRY_S))(self._is_written, write)

    async def adopt(self, cluster_id: str) -> None:
        """Write down which cluster this server belongs to now, and whom it has met there before that.

        Killed between the two, it would know a cluster and nobody in it, and take itself for its founder.
        """
        self.keep()
        await self.written(SerfWrite(cluster_id=cluster_id))

    async def _is_written(self, write: SerfWrite) -> bool:
        refusal = await self.refusal(write)
        if refusal:
            _log.warning("serf.db was not written, trying again: %s", refusal)
        return not refusal

    def soon(self) -> None:
        """See to it that a Keep comes, if there is something to be remembered."""
        if self.memory and self._timer is None:
            self._timer = self._context.after(KEEP_DELAY_S, Keep())

    def keep(self) -> None:
        """Write what is to be remembered."""
        self._timer = None
        if self.memory:
            self._persistence.tell(self.memory.take())
