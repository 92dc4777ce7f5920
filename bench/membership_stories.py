"""What happens to members, and how long it takes until all the others know.

What lives here: the stories, each timed from its cause.  What does not: how a system is asked (membership.py), and
what becomes of the times (serf_report.py).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random

from bench.membership import KNOW_TIMEOUT_S, Membership, pause, until_seen

ALIVE = frozenset({"alive"})
FAILED = frozenset({"failed"})
LEFT = frozenset({"left"})
SETTLE_S = 15.0
"""Until nothing is left to do: a new server becomes a voter after ten seconds."""

CALM_S = 3.0


def form(system: Membership) -> None:
    """Start the cluster, and wait until every server shows all of it."""
    system.start(system.cluster[:1])
    system.start(system.cluster[1:])
    until_seen(system, system.cluster, system.cluster, ALIVE)


def join(system: Membership, _rng: Random) -> float:
    """A server that runs, alone, is told to join: until every server of the cluster shows it."""
    system.start([system.asked])
    with _meanwhile(system.join, system.asked):
        return until_seen(system, system.cluster, [system.asked], ALIVE)


def leave(system: Membership, _rng: Random) -> float:
    """The same server leaves again, after it has become a voter: until every other one shows that it has left."""
    pause(SETTLE_S)
    until_seen(system, [system.asked], system.cluster, ALIVE)
    with _meanwhile(system.leave, system.asked):
        return until_seen(system, system.cluster, [system.asked], LEFT)


def launch(system: Membership, _rng: Random) -> float:
    """A process is started that joins: until every server of the cluster shows it, its own start included."""
    began = time.monotonic()
    system.launch(system.launched)
    until_seen(system, system.cluster, [system.launched], ALIVE)
    return time.monotonic() - began


def event(system: Membership, rng: Random) -> float:
    """A user event, after the news of other things has been told: until every other server has had it."""
    pause(CALM_S)
    sender, others = _choose(system, rng)
    name = f"deploy-{rng.getrandbits(32):08x}"
    for other in others:
        system.watch_events(other)
    began = time.monotonic()
    system.send_event(sender, name)
    for other in others:
        system.await_event(other, name, KNOW_TIMEOUT_S)
    return time.monotonic() - began


def kill(system: Membership, rng: Random) -> float:
    """SIGKILL: until every other one shows that it failed.  Started again, it is back before the story ends."""
    victim, others = _choose(system, rng)
    system.signal(victim, signal.SIGKILL)
    took_s = until_seen(system, others, [victim], FAILED)
    system.start([victim])
    until_seen(system, system.cluster, system.cluster, ALIVE)
    return took_s


def stop(system: Membership, rng: Random) -> float:
    """SIGSTOP: until every other one shows that it failed.  It goes on, and is back before the story ends."""
    victim, others = _choose(system, rng)
    system.signal(victim, signal.SIGSTOP)
    took_s = until_seen(system, others, [victim], FAILED)
    system.signal(victim, signal.SIGCONT)
    # It may have missed the end of the connection that it was asked on.
    system.connect(victim)
    until_seen(system, system.cluster, system.cluster, ALIVE)
    return took_s


Story = Callable[[Membership, Random], float]
"""Something that happens to a cluster; told, it returns the seconds until all know."""

STORIES: Mapping[str, Story] = {
    "event": event,
    "kill": kill,
    "stop": stop,
    "join": join,
    "leave": leave,
    "launch": launch,
}
"""In the order in which they happen to one cluster, which the newcomers make larger."""

TITLES = {
    "event": "a user event",
    "kill": "SIGKILL of a server",
    "stop": "SIGSTOP of a server",
    "join": "a running server is told to join",
    "leave": "a graceful leave",
    "launch": "a process is started that joins",
}


def _choose(system: Membership, rng: Random) -> tuple[int, list[int]]:
    """Any server but the one that the others join through, and all others."""
    victim = rng.choice(system.cluster[1:])
    return victim, [index for index in system.cluster if index != victim]


@contextmanager
def _meanwhile(act: Callable[[int], None], index: int) -> Iterator[None]:
    """Have something done that takes its time, and be done with it at the end."""
    thread = threading.Thread(target=act, args=(index,))
    thread.start()
    try:
        yield
    finally:
        thread.join()
