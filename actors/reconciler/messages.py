"""What the reconciler hears from the gateway: frozen messages, one wire kind each."""

from msgspec import Struct

from transport.wire import message


@message("reconciler.status", urgent=True)
class ReconcilerStatusRequest(Struct, frozen=True):
    """Ask for the last decision about every server; answered with ``Json`` {server id: reason}."""


@message("reconciler.remove", urgent=True)
class RemoveServer(Struct, frozen=True):
    """An operator wants a server out of the Raft configuration; answered with ``Json`` {"ok", "reason"}."""

    name: str


@message("reconciler.decided")
class Decided(Struct, frozen=True):
    """To the events actor: a change of the Raft configuration was made, or one that is due was refused.

    what: the change, as in raft.Configure, or ``refused``; reason: why.
    """

    what: str
    id: str
    name: str
    address: str
    reason: str


@message("reconciler.pass", urgent=True)
class Pass(Struct, frozen=True):
    """The reconciler's own timer: compare everything again."""
