"""The limits of the actor runtime, in one place.

What lives here: numbers with their units and what they trade.  Restart limits are the supervisor's (policy.py).
"""

from attrs import frozen


@frozen
class SystemLimits:
    """Limits of one system of actors."""

    mailbox_frames: int = 10_000
    """Data frames that wait for one actor; the next one is refused."""
    control_frames: int = 1_000
    """The same for the control lane."""
    turn_messages: int = 256
    """Messages one actor handles before the next actor has its turn, and at most what `on_turn_end` sees at once."""
    drain_frames: int = 32
    """Frames taken from a mailbox at once: a control frame waits for at most so many data frames."""
    pump_turns: int = 64
    """Turns in one run of the pump, so that sockets and timers are served even where the clock stands still."""
    pump_budget_s: float = 0.005
    """Time after which a run of the pump lets the event loop serve sockets and timers."""
    coroutines_per_actor: int = 1_024
    """Handlers that are coroutines at work at the same time; further mail waits in the mailbox."""
    timers_per_actor: int = 20_000
    refs_per_actor: int = 4_096
    """Remembered refs; beyond it they are made anew."""
    known_heads: int = 1_024
    """Heads of frames that are remembered, read or made; beyond it they are read and made anew."""
    unanswered_asks: int = 20_000
    """Asks an actor owes an answer to; the oldest are forgotten."""
    open_asks: int = 20_000
    """Asks of this server waiting for an answer; the next one is refused."""
    dead_letters: int = 256
    """Different dead letters kept; all are counted."""
    kill_delay_s: float = 0.05
    """From an operator's kill to the death: the answer has to be out before, also when it is the links that die."""
    slow_handler_s: float = 0.1
    """A handler that takes longer is logged."""
    watch_period_s: float = 0.5
    """How often a thread looks for a slow handler at work: one that takes this much longer is logged with its stack."""
    lag_period_s: float = 1.0
    """How often the event loop's lag is measured apart from actors' timers.  An idle server pays for both periods."""
