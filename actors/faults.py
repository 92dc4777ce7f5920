"""Faults made on purpose: cut links and crashed actors, for tests and local clusters.

What lives here: what the gateway's ``fault.*`` operations do.  A server has it only when it was started with fault
hooks (QUORATE_FAULT_HOOKS=1, which ``cluster up`` and the tests set); otherwise those operations are refused.
"""

from collections.abc import Callable

from actors.runtime.system import System
from transport.links.links import Links


class LinkFaults:
    """The fault hooks of one server; ``links()`` is asked each time, because a restart makes new ones."""

    def __init__(self, system: System, links: Callable[[], Links | None]) -> None:
        self._system = system
        self._links = links

    def cut(self, address: str, *, inbound: bool, outbound: bool) -> None:
        """Drop what comes from and goes to the server at ``address``."""
        links = self._links()
        if links is not None:
            links.cut(address, inbound=inbound, outbound=outbound)

    def heal(self) -> None:
        """Let everything through again."""
        links = self._links()
        if links is not None:
            links.heal()

    def crash(self, name: str) -> None:
        """Make an actor fail as if its code had raised."""
        self._system.crash(name)
