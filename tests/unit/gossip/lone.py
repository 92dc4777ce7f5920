"""One gossip core fed by hand: what it is told, what it says, and what it believes, step by step."""

from __future__ import annotations

import random
from typing import TypeVar

from actors.gossip.beginning import Beginning
from actors.gossip.config import LAN, GossipConfig
from actors.gossip.effects import Changed, Effect, Note, Send
from actors.gossip.member import Accusation, Claim, Intent, Liveness
from actors.gossip.messages import Ack, Gossip, Ping
from actors.gossip.own import RESERVE
from actors.gossip.shared import Source
from actors.gossip.swim import Swim

M = TypeVar("M")

ME = "id-me"
DEAD = Liveness.DEAD
SUSPECT = Liveness.SUSPECT
LEAVING = Intent.LEAVING
LEFT = Intent.LEFT


def claim(
    name: str,
    incarnation: int = 1,
    *,
    liveness: Liveness = Liveness.ALIVE,
    accusers: tuple[str, ...] = (),
    evidence: str = "no answer to a probe",
    lamport: int = 1,
    intent: Intent = Intent.JOIN,
    address: str = "",
    tags: dict[str, str] | None = None,
    age_s: int = 0,
) -> Claim:
    """A claim about the member of that name; its id is derived from the name."""
    return Claim(
        id=f"id-{name}",
        name=name,
        address=address or f"{name}:1",
        tags=tags or {},
        incarnation=incarnation,
        lamport=lamport,
        liveness=liveness,
        intent=intent,
        accusers=tuple(Accusation(f"id-{by}", evidence) for by in accusers),
        age_s=age_s,
    )


class Lone:
    """The core of `me`, a member of cluster c0 unless told otherwise."""

    def __init__(
        self,
        *members: str,
        config: GossipConfig = LAN,
        cluster_id: str = "c0",
        seed: int = 1,
        name: str = "me",
        tags: dict[str, str] | None = None,
    ) -> None:
        self.now = 1000.0
        self.effects: list[Effect] = []
        self.silent: set[str] = set()
        """Names of members that do not answer probes; all others do, at once."""
        own = claim(name, incarnation=10, lamport=0, tags=tags)
        beginning = Beginning(own, cluster_id, clock=0, reserved=10 + RESERVE)
        self.core = Swim(beginning, config=config, rng=random.Random(seed))
        self.do(self.core.start(self.now, hints=(), remembered=()))
        for name in members:
            self.hear(claim(name), teller=name)
        self.effects.clear()

    def do(self, effects: list[Effect]) -> list[Effect]:
        """Keep what the core wants done."""
        self.effects += effects
        return effects

    def get(self, message: object, sender: str = "peer") -> list[Effect]:
        """A message arrives."""
        return self.do(self.core.handle(self.now, Source(f"id-{sender}", f"{sender}:1"), message))

    def hear(self, *claims: Claim, teller: str = "peer") -> list[Effect]:
        """Gossip arrives."""
        return self.get(Gossip(list(claims)), teller)

    def evidence(self, address: str, reason: str = "connection refused") -> list[Effect]:
        """The links have seen something."""
        return self.do(self.core.evidence(self.now, address, reason))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass, with a tick at each deadline."""
        end = self.now + seconds
        effects: list[Effect] = []
        while (due := self.core.next_deadline()) <= end:
            self.now = max(self.now, due)
            ticked = self.do(self.core.tick(self.now))
            effects += ticked
            for address, ping in sent(ticked, Ping):
                name = address.partition(":")[0]
                if name not in self.silent:
                    effects += self.get(Ack(ping.sequence, ping.target, []), name)
        self.now = end
        return effects

    def status(self, name: str) -> str:
        """What is believed of a member; "" for nothing."""
        return next((str(member.status) for member in self.core.report.named(self.now, name)), "")

    def incarnation(self, name: str) -> int:
        """The incarnation believed in."""
        return self.core.report.named(self.now, name)[0].incarnation

    def why(self, name: str) -> str:
        """The trail of a member, one step a line."""
        (trail,) = self.core.report.why(self.now, name).values()
        return "\n".join(f"{step.event} by {step.by}: {step.detail}" for step in trail)


def sent(effects: list[Effect], kind: type[M]) -> list[tuple[str, M]]:
    """(address, message) of the messages of one class."""
    return [
        (effect.address, effect.message)
        for effect in effects
        if isinstance(effect, Send) and isinstance(effect.message, kind)
    ]


def told(effects: list[Effect], name: str) -> list[Claim]:
    """The claims about a member in the gossip sent."""
    return [said for _, gossip in sent(effects, Gossip) for said in gossip.claims if said.name == name]


def changes(effects: list[Effect]) -> list[tuple[str, str, str]]:
    """(name, old status, new status) of the changes reported."""
    return [(e.member.name, e.old_status, e.member.status) for e in effects if isinstance(e, Changed)]


def notes(effects: list[Effect]) -> str:
    """The log."""
    return "\n".join(effect.text for effect in effects if isinstance(effect, Note))
