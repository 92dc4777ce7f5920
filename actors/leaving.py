"""Leaving a cluster for good: the order of the steps, and what to say when one of them fails.

What lives here: ``leave`` of one server.  What does not: each step itself: Raft's transfer, the leader's reconciler
that takes a leaving server out of the configuration, and gossip's acknowledged farewell.

The order matters: a leader hands over first, since it cannot remove itself; then gossip announces the leave, which is
what makes the new leader remove this server; only when it is out does gossip say that it has left.  Whoever stops
half-way stays a member, and says so.
"""

import asyncio
import logging
import operator
from collections.abc import Awaitable, Callable
from typing import Any

from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from actors.gossip.messages import LeaveRequest
from actors.identity import Identity
from actors.raft.messages import RaftStatusRequest, RaftView, TransferLeadership, ViewRequest
from actors.reconciler.messages import ReconcilerStatusRequest
from actors.runtime.asks import AskError
from actors.runtime.system import System
from transport.errors import QuorateError
from transport.wire import Json

STEP_TIMEOUT_S = 6.0
ASK_TIMEOUT_S = 2.0
POLL_S = 0.05

_log = logging.getLogger("quorate.node")


class LeaveError(QuorateError):
    """This server cannot leave now, and stays."""

    exit_code = 4


class Leaving:
    """One attempt to leave."""

    def __init__(self, system: System, identity: Identity) -> None:
        self._system = system
        self._identity = identity

    async def leave(self) -> dict[str, Any]:
        """Leave Raft, then gossip; returns who has acknowledged it.  Raises LeaveError, and stays a member then."""
        if not await self._is_only_server():
            await self._hand_over()
            await self._ask("gossip", LeaveRequest("leaving"))
            if not await self._until(self._is_out_of_raft):
                # Asked before that is heard: of a server that stays the leader's reconciler has another word.
                why = await self._why_still_in()
                await self._ask("gossip", LeaveRequest("stay"))
                raise LeaveError(f"cannot leave: {why}")
        answer = await self._ask("gossip", LeaveRequest("left"))
        _log.info("left the cluster")
        return {"left": True, "name": self._identity.name, **answer}

    async def _is_only_server(self) -> bool:
        status = await self._ask("raft", RaftStatusRequest())
        return {peer["id"] for peer in status["peers"]} <= {self._identity.id}

    async def _hand_over(self) -> None:
        if not await self._until(self._leads_not):
            raise LeaveError(
                f"cannot leave: {self._identity.name} leads and no other voter could take over within "
                f"{STEP_TIMEOUT_S:g} s; see `raft peers`"
            )

    async def _leads_not(self) -> bool:
        return await self._status_without_the_lead() is not None

    async def _status_without_the_lead(self) -> dict[str, Any] | None:
        """What Raft says of itself here; None while this server leads, and is asked to hand over."""
        status = await self._ask("raft", RaftStatusRequest())
        if status["role"] == "leader":
            await self._ask("raft", TransferLeadership())
            return None
        return status

    async def _is_out_of_raft(self) -> bool:
        """Whether the leader's configuration, committed, has this server no longer: it will never hear so itself."""
        status = await self._status_without_the_lead()
        if status is None:
            return False
        # One that was taken out by a leader that has handed over since hears of no leader any more: all are asked then.
        others = [peer["address"] for peer in status["peers"] if peer["id"] != self._identity.id]
        addresses = [status["leader_address"]] if status["leader_address"] else others
        return any(await asyncio.gather(*map(self._says_out, addresses)))

    async def _says_out(self, address: str) -> bool:
        """Whether the server there leads and has this one in its committed configuration no longer."""
        try:
            view: RaftView = await self._system.ref("raft", address, owner="node").ask(
                ViewRequest(), timeout_s=ASK_TIMEOUT_S
            )
        except AskError as error:
            _log.debug("while leaving: %s", error)
            return False
        return view.is_leader and view.is_settled and all(s.id != self._identity.id for s in view.servers)

    async def _why_still_in(self) -> str:
        """Why no leader took this server out, as far as it can be known, and what to do."""
        out = f"{self._identity.name} out of the Raft configuration within {STEP_TIMEOUT_S:g} s"
        try:
            status = await self._ask("raft", RaftStatusRequest())
            address = status["leader_address"]
            if not (address and status["quorum"]):
                return f"no leader took {out}; see `health`, and try again when the cluster has a quorum"
            decided: Json = await self._system.ref("reconciler", address, owner="node").ask(
                ReconcilerStatusRequest(), timeout_s=ASK_TIMEOUT_S
            )
        except AskError as error:
            return f"no leader took {out}, and why is not known ({error}); see `health`"
        reason = decided.value.get(self._identity.id, "")
        return f"the leader at {address} did not take {out}{f' ({reason})' if reason else ''}; see `raft peers`"

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        async def attempt() -> bool:
            try:
                return await condition()
            except AskError as error:
                _log.debug("while leaving: %s", error)
                return False

        retrying = AsyncRetrying(
            stop=stop_after_delay(STEP_TIMEOUT_S), wait=wait_fixed(POLL_S), retry=retry_if_result(operator.not_)
        )
        try:
            await retrying(attempt)
        except RetryError:
            return False
        return True

    async def _ask(self, actor: str, msg: object) -> dict[str, Any]:
        answer: Json = await self._system.ref(actor, owner="node").ask(msg, timeout_s=STEP_TIMEOUT_S)
        value: dict[str, Any] = answer.value
        return value
