"""What gossip tells each server of the others: late, for each at another time, and now and then wrong.

A stand-in for the membership protocol, which has a simulation of its own (tests/unit/gossip/simnet.py): here the
reconciler is fed with every view that gossip could give it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import evolve

from actors.gossip.member import Member, Status

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

DELAY_S: Final = 1.0
"""How long news takes at most."""

_GONE: Final = frozenset({Status.FAILED, Status.LEFT})


def member_of(id_: str, address: str, status: Status = Status.ALIVE) -> Member:
    """A member as gossip shows it."""
    return Member(id_, f"name-{id_}", address, status, {}, 1, 1)


class SimGossip:
    """The view of each server.  ``statuses`` is the truth, which everybody hears in the end."""

    def __init__(self, simulation: Simulation, ids: Iterable[str]) -> None:
        self._simulation = simulation
        self.statuses = dict.fromkeys(ids, Status.ALIVE)
        self._views: dict[str, dict[str, Member]] = {id_: {} for id_ in self.statuses}
        self._since: dict[tuple[str, str], float] = {}
        """By observer and server: when the view of it changed last."""

    def start(self) -> None:
        """Everybody is alive, and knows it of the others soon."""
        for id_ in self.statuses:
            self.announce(id_, Status.ALIVE)

    def seen_by(self, id_: str) -> list[Member]:
        """A server's view."""
        now = self._simulation.clock.now
        return [evolve(one, status_age_s=now - self._since[id_, one.id]) for one in self._views[id_].values()]

    def announce(self, id_: str, status: Status) -> None:
        """A server has another status, and everybody hears of it, or of what it is by then."""
        self.statuses[id_] = status
        for observer in self.statuses:
            delay_s = 0.0 if observer == id_ else self._simulation.rng.uniform(0.0, DELAY_S)
            self._simulation.clock.later(delay_s, partial(self._hear, observer, id_, None))

    def slander(self, id_: str, observer: str, span_s: float) -> None:
        """For a while one server takes another for failed that is not."""
        self._hear(observer, id_, Status.FAILED)
        self._simulation.clock.later(span_s, partial(self._hear, observer, id_, None))

    def _hear(self, observer: str, id_: str, status: Status | None) -> None:
        status = status or self.statuses[id_]
        member = member_of(id_, self._simulation.address_of(id_), status)
        if self._views[observer].get(id_) != member:
            self._views[observer][id_] = member
            self._since[observer, id_] = self._simulation.clock.now
            process = self._simulation.processes[observer]
            process.do(partial(process.member_changed, member.address, is_gone=status in _GONE))
