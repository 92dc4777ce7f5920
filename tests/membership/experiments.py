"""What is measured of gossip among many: one function an experiment, one seed a run.

What lives here: stories in virtual time and the figures that come of them. What does not: how often each is told and
what is made of the figures (__main__.py, page.py).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from math import inf

from attrs import frozen

from actors.gossip.config import LAN
from actors.gossip.member import Status
from tests.membership.crowd import Crowd, Fellow
from tests.membership.starving import Hunger, starve, without_lifeguard
from tests.unit.gossip.simnet import Host

WARM_S = 5.0
DETECTION_LIMIT_S = 60.0
AFTERMATH_S = 5.0
STARVED_SHARE = 0.05
STARVING_S = 30.0
SPREAD_S = 10.0
_STEP_S = 0.5


@frozen
class Detection:
    """How long after a silent host's death it was known failed, and how many of the living were taken for dead."""

    first_s: float
    all_s: float
    false_deaths: int


@frozen
class Starving:
    """Members taken for dead that lived, starved ones and others."""

    false_deaths: int
    healthy: int
    """Of these, how many had all the processor they wanted."""


@frozen
class Load:
    """What one member sends in a second, on average."""

    messages: dict[str, float]
    """By kind."""
    bytes: dict[str, float]


def detect(seed: int, size: int, *, lifeguard: bool = True) -> Detection:
    """A host falls silent."""
    crowd, rng = _settled(seed, size, lifeguard=lifeguard)
    crowd.run(WARM_S + rng.random() * LAN.probe_interval_s)
    victim = rng.choice(crowd.members)
    crowd.vanish(victim)
    died, known = crowd.now, set[str]()
    while len(known) < size - 1 and crowd.now < died + DETECTION_LIMIT_S:
        crowd.run(_STEP_S)
        known = {one.observer for one in crowd.news if one.name == victim.name and one.status == Status.FAILED}
    crowd.run(AFTERMATH_S)
    times = [one.at - died for one in crowd.news if one.name == victim.name and one.status == Status.FAILED]
    last = max(times) if len(known) == size - 1 else inf
    return Detection(min(times, default=inf), last, len(_deaths(crowd) - {victim.name}))


def starved(seed: int, size: int, hunger: Hunger, *, lifeguard: bool) -> Starving:
    """Some members get too little of a processor for a while; nobody is dead."""
    crowd, rng = _settled(seed, size, lifeguard=lifeguard)
    crowd.run(WARM_S)
    poor = rng.sample(crowd.members, max(1, round(STARVED_SHARE * size)))
    starve(crowd, poor, hunger, rng)
    crowd.run(STARVING_S)
    deaths = _deaths(crowd)
    return Starving(len(deaths), len(deaths - {member.name for member in poor}))


def spread(seed: int, size: int) -> list[float]:
    """A server joins: after how long each member knows it, in order; infinity for one that does not within SPREAD_S."""
    crowd, rng = _settled(seed, size)
    crowd.run(WARM_S)
    began = crowd.now
    door = rng.choice(crowd.members)
    newcomer = Fellow(crowd, size, peers=[door.address], cluster_id="")
    crowd.enter(newcomer)
    newcomer.start()
    crowd.run(SPREAD_S)
    times = sorted(one.at - began for one in crowd.news if one.name == newcomer.name and not one.old_status)
    return times + [inf] * (size - len(times))


def load(seed: int, size: int, seconds: float) -> Load:
    """A cluster in which nothing happens."""
    crowd, _ = _settled(seed, size)
    crowd.run(WARM_S)
    for counts in crowd.load.values():
        counts.clear()
    crowd.run(seconds)
    share = size * seconds
    return Load(*({kind: count / share for kind, count in sorted(counts.items())} for counts in crowd.load.values()))


def _settled(seed: int, size: int, *, lifeguard: bool = True) -> tuple[Crowd, random.Random]:
    crowd = Crowd(seed, LAN)
    if not lifeguard:
        without_lifeguard(crowd, LAN)
    crowd.settle(size)
    return crowd, random.Random(f"{seed}/story")


def _deaths(crowd: Crowd) -> set[str]:
    """Names of those whom somebody took for dead."""
    return {one.name for one in crowd.news if one.status == Status.FAILED}


@frozen
class Leaves:
    """Seven of ten leave, one a second: who was shown failed, and how long a leave took to be known."""

    failed: int
    known_s: float


@frozen
class Restart:
    """All lose their power at once and come back: how long until each sees all alive, and what went back."""

    whole_s: float
    failed_after: int
    """Members that somebody calls failed after that."""
    backward: int
    """Members that used an incarnation twice or a lower one."""
    joins: float
    """How often a member asked another to meet again."""


@frozen
class Partition:
    """Two halves that do not hear each other until each holds the other for dead, then a network as before."""

    lost_s: float
    """From the cut until all on each side call all on the other failed."""
    whole_s: float
    """From the healing until everybody sees everybody alive."""


def leaves(seed: int) -> Leaves:
    """P2 of docs/membership-cases.md: seven of ten leave."""
    crowd, rng = _settled(seed, 10)
    crowd.run(WARM_S)
    leavers = rng.sample(crowd.members, 7)
    stayers = [member for member in crowd.members if member not in leavers]
    known_s = 0.0
    for gone, leaver in enumerate(leavers, start=1):
        leaver.call(leaver.core.leave, "leaving")
        crowd.run(0.3)
        leaver.call(leaver.core.leave, "left")
        # Its process ends a moment later, as that of `leave` does.
        crowd.at(crowd.now + 0.5, crowd.vanish, leaver)
        began, left = crowd.now, {"alive": 10 - gone, "left": gone}
        known_s = max(known_s, _until(crowd, partial(_all_see, stayers, left), 60) - began)
        crowd.run(began + 0.7 - crowd.now)
    crowd.run(60)
    return Leaves(len(_deaths(crowd)), known_s)


def mass_restart(seed: int, size: int, off_s: float) -> Restart:
    """memberlist#311: incarnations that begin again at 1."""
    crowd, rng = _settled(seed, size)
    crowd.run(WARM_S)
    for member in crowd.members:
        member.disk.members = {one.id: one.first_claim() for one in crowd.members if one is not member}
        crowd.vanish(member)
    crowd.run(off_s)
    began = crowd.now
    crowd.load["messages"].clear()
    for member in crowd.members:
        crowd.at(crowd.now + rng.random() * 2, member.start)
    whole_s = _until(crowd, lambda: all(_sees(one, {"alive": size}) for one in crowd.members), 120) - began
    joins = crowd.load["messages"]["gossip.join"] / size
    crowd.news.clear()
    crowd.run(10)
    backward = sum(member.used != sorted(set(member.used)) for member in crowd.members)
    return Restart(whole_s, len(_deaths(crowd)), backward, joins)


def partition(seed: int, size: int, apart_s: float) -> Partition:
    """memberlist#222: a partition that outlasts the window in which gossip is sent to the dead."""
    crowd, rng = _settled(seed, size)
    crowd.run(WARM_S)
    members: list[Host] = [*rng.sample(crowd.members, size)]
    half = size // 2
    crowd.split(members[:half], members[half:])
    began = crowd.now
    lost = {"alive": half, "failed": size - half}
    lost_s = _until(crowd, lambda: all(_sees(one, lost) for one in members[:half]), apart_s) - began
    crowd.run(max(0.0, began + apart_s - crowd.now))
    crowd.heal()
    began = crowd.now
    whole_s = _until(crowd, lambda: all(_sees(one, {"alive": size}) for one in members), 300) - began
    return Partition(lost_s, whole_s)


def _until(crowd: Crowd, holds: Callable[[], bool], limit_s: float) -> float:
    """When something holds, to a tenth of a second; infinity if it does not within the limit."""
    end = crowd.now + limit_s
    while crowd.now < end:
        if holds():
            return crowd.now
        crowd.run(0.1)
    return inf


def _all_see(members: Iterable[Host], statuses: dict[str, int]) -> bool:
    return all(_sees(member, statuses) for member in members)


def _sees(member: Host, statuses: dict[str, int]) -> bool:
    """Whether it sees so many members in each status."""
    if not member.is_up:
        return False
    return Counter(claim.status.value for claim in member.core._shared.roster) == statuses
