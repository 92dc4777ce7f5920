"""Why a server that belongs to no cluster yet cannot serve: what gossip has heard from the peers it was told to join.

What lives here: one question to gossip for any number of requests, and the line made of its answer.  What does not:
joining (actors/gossip/seeker.py), and a cluster whose leader is missing, which is the core's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from actors.asks import AskError
from actors.gossip.messages import GossipStatusRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.actor import Context
    from actors.gateway.effects import Answer
    from actors.identity import Identity

ASK_TIMEOUT_S: Final = 0.3
"""The client waits for its answer already."""

PEERS_SHOWN_MAX: Final = 3


class Unjoined:
    """Answers for requests that found no leader because there is no cluster."""

    def __init__(self, context: Context, identity: Identity) -> None:
        self._context = context
        self._identity = identity
        self._answers: list[Answer] = []

    @property
    def is_so(self) -> bool:
        """Whether this server has not joined a cluster yet."""
        return not self._identity.cluster_id

    def answer(self, answer: Answer) -> None:
        """Answer once gossip has said what keeps this server out."""
        self._answers.append(answer)
        if len(self._answers) == 1:
            self._context.spawn(self._ask(), name="why not joined")

    async def _ask(self) -> None:
        why = await self.why()
        answers, self._answers = self._answers, []
        for answer in answers:
            self._context.reply(answer.sender, evolve(answer.response, message=f"{why}; nothing was changed"))

    async def why(self) -> str:
        """One line."""
        try:
            status = (await self._context.ref("gossip").ask(GossipStatusRequest(), timeout_s=ASK_TIMEOUT_S)).value
        except AskError:
            status = {}
        return why_unjoined(self._identity.name, status)


def why_unjoined(name: str, gossip: Mapping[str, Any]) -> str:
    """The line, from gossip's status."""
    seeking = gossip.get("seeking") or []
    heard = [f"{seek['address']}: {seek['error'] or 'no answer yet'}" for seek in seeking[:PEERS_SHOWN_MAX]]
    return f"{name} has not joined a cluster yet ({'; '.join(heard) or 'it knows no peer to ask'})"
