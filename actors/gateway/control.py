"""What the gateway asks of the server it is part of, as a protocol: the node implements it, tests fake it.

What lives here: the few things about a whole server that no single actor knows or may do.  What does not: anything an
actor can be asked for with a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from actors.config import NodeConfig
    from actors.gateway.log_tap import LogTap
    from actors.identity import Identity


class Actors(Protocol):
    """The part of the actor system that operators look at; `actors.runtime.system.System` has it."""

    def actors(self) -> list[dict[str, Any]]:
        """One row an actor: name, incarnation, state, restarts, mailbox, handled, last_error and more."""

    def tree(self) -> Any:
        """The supervision tree, nested."""

    def mailboxes(self) -> list[dict[str, Any]]:
        """One row a mailbox: depth, limit, refused and more."""

    def dead_letters(self) -> Any:
        """What could not be delivered: totals and the latest ones."""

    def kill(self, name: str, incarnation: int) -> str:
        """Kill one incarnation of an actor; its supervisor starts the next.  Says what happened; ValueError if not."""

    def loop_lag_s(self) -> float:
        """How late the event loop runs, in seconds."""


class Faults(Protocol):
    """Faults made on purpose; there only when the server was started with fault hooks."""

    def cut(self, address: str, *, inbound: bool, outbound: bool) -> None:
        """Drop what comes from and goes to a server."""

    def heal(self) -> None:
        """Let everything through again."""

    def crash(self, name: str) -> None:
        """Make an actor fail as if its code had raised; unlike a kill it counts towards the restart intensity."""


class Control(Protocol):
    """One whole server."""

    @property
    def identity(self) -> Identity:
        """Who this server is."""

    @property
    def config(self) -> NodeConfig:
        """What it was told at its start."""

    @property
    def system(self) -> Actors:
        """Its actors."""

    @property
    def faults(self) -> Faults | None:
        """Its fault hooks, None when they are off."""

    @property
    def logs(self) -> LogTap:
        """What it logs."""

    @property
    def is_starting(self) -> bool:
        """Whether something of its start is still to come; HTTP comes last."""

    def uptime_s(self) -> float:
        """Seconds since the start of this process."""

    def link_stats(self) -> dict[str, Any]:
        """Counters of the links to other servers."""

    async def leave(self) -> dict[str, Any]:
        """Hand leadership over, leave Raft, leave gossip; {"left": True, …} when the others have acknowledged it.

        The process ends with exit code 0 a moment after this returns: late enough for the answer to reach the client
        that asked.  Raises QuorateError when leaving is not possible now (no quorum), and the server stays.
        """
