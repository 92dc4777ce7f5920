"""Messages the runtime itself sends to actors.

What lives here: frozen message classes and nothing that acts.
"""

from msgspec import Struct

from transport.wire import message

TIMER_DUE = "runtime.timer"


@message(TIMER_DUE, retry=False)
class TimerDue(Struct, frozen=True):
    """Marks the place of a due timer in a mailbox; when it is reached, the timer's own message takes its place."""

    timer: int


@message("runtime.died", urgent=True)
class Died(Struct, frozen=True):
    """To the watchers of an actor: this incarnation of it has ended.  incarnation: 0 when it has never been started."""

    actor: str
    incarnation: int
    reason: str
