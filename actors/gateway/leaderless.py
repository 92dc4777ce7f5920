"""Why a server has no leader to serve with: what gossip and Raft know of who is missing.

What lives here: one question to both for any number of requests, and the line made of their answers.  What does not:
when a request is given up, which is the core's to say, and joining (actors/gossip/seeker.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from actors.gossip.messages import GossipStatusRequest, MembersRequest
from actors.raft.messages import RaftStatusRequest
from actors.runtime.asks import AskError
from transport.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.gateway.effects import Answer
    from actors.identity import Identity
    from actors.runtime.actor import Context

ASK_TIMEOUT_S: Final = 0.15
"""The client waits for its answer already."""

SHOWN_MAX: Final = 3
"""Servers that are named in the line."""


class Leaderless:
    """Answers for requests that found no leader."""

    def __init__(self, context: Context, identity: Identity) -> None:
        self._context = context
        self._identity = identity
        self._answers: list[Answer] = []

    def answer(self, answer: Answer) -> None:
        """Answer once it is known what is missing."""
        self._answers.append(answer)
        if len(self._answers) == 1:
            self._context.spawn(self._ask(), name="why no leader")

    async def _ask(self) -> None:
        why = await self.why()
        answers, self._answers = self._answers, []
        for answer in answers:
            # Behind the semicolon it says what has become of a write.
            no_leader, semicolon, rest = answer.response.message.partition(";")
            message = f"{no_leader}: {why}{semicolon}{rest}"
            self._context.reply(answer.sender, replace(answer.response, message=message))

    async def why(self) -> str:
        """One line."""
        try:
            if not self._identity.cluster_id:
                gossip = await self._context.ref("gossip").ask(GossipStatusRequest(), timeout_s=ASK_TIMEOUT_S)
                return why_unjoined(self._identity.name, gossip.value)
            raft = await self._context.ref("raft").ask(RaftStatusRequest(), timeout_s=ASK_TIMEOUT_S)
            view = await self._context.ref("gossip").ask(MembersRequest(), timeout_s=ASK_TIMEOUT_S)
        except AskError as error:
            return f"{self._identity.name} cannot say why ({error})"
        statuses = {member.id: str(member.status) for member in view.members}
        return why_leaderless(self._identity.name, raft.value, statuses)


def why_unjoined(name: str, gossip: Mapping[str, Any]) -> str:
    """The line of a server that belongs to no cluster yet, from gossip's status."""
    mustering = gossip.get("mustering") or []
    if mustering:
        return f"{name} starts no cluster yet ({'; '.join(mustering[:SHOWN_MAX])})"
    seeking = gossip.get("seeking") or []
    heard = [f"{seek['address']}: {seek['error'] or 'no answer yet'}" for seek in seeking[:SHOWN_MAX]]
    return f"{name} has not joined a cluster yet ({'; '.join(heard) or 'it knows no peer to ask'})"


def why_leaderless(name: str, raft: Mapping[str, Any], statuses: Mapping[str, str]) -> str:
    """The line of a member, from Raft's status and gossip's word on each server; of disks it knows its own alone."""
    disk = f"; the disk of {name} takes no writes ({raft['storage_error']})" if raft["storage_error"] else ""
    voters = [peer for peer in raft["peers"] if peer["voter"]]
    missing = [peer for peer in voters if statuses.get(peer["id"]) != "alive"]
    quorum = len(voters) // 2 + 1
    there = f"{len(voters) - len(missing)} of {counted(len(voters), 'voter')} can be reached"
    named = [f"{peer['name']} at {peer['address']} ({statuses.get(peer['id'], 'unknown')})" for peer in missing]
    more = f" and {len(named) - SHOWN_MAX} more" if len(named) > SHOWN_MAX else ""
    gone = f"; missing: {', '.join(named[:SHOWN_MAX])}{more}" if named else ""
    if len(voters) - len(missing) < quorum:
        return f"{there} and a quorum takes {quorum}{gone}{disk}"
    # Whoever cannot write stands for nothing, and grants no vote.
    outlook = "" if disk else ": an election may be under way, try again"
    return f"{there}, which is a quorum{outlook}{gone}{disk}"
