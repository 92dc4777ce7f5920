"""What the reconciler hears from the gateway: frozen messages, one wire kind each."""

from attrs import frozen

from transport.wire import message


@message("reconciler.status", urgent=True)
@frozen
class ReconcilerStatusRequest:
    """Ask for the last decision about every server; answered with ``Json`` {server id: reason}."""


@message("reconciler.remove", urgent=True)
@frozen
class RemoveServer:
    """An operator wants a server out of the Raft configuration; answered with ``Json`` {"ok", "reason"}."""

    name: str


@message("reconciler.decided")
@frozen
class Decided:
    """To the events actor: a change of the Raft configuration was made, or one that is due was refused.

    what: the change, as in raft.Configure, or ``refused``; reason: why.
    """

    what: str
    id: str
    name: str
    address: str
    reason: str


@message("reconciler.pass", urgent=True)
@frozen
class Pass:
    """The reconciler's own timer: compare everything again."""
