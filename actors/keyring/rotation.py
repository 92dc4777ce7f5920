"""A rotation of the cluster key: which member is told what next, until all have come as far as is wanted.

Three steps a member goes through (transport/ring.py): it accepts the new key too, it dials with it, it forgets the old
one. All members that are up have taken a step before the first takes the next one; so whoever dials is always let in.
One member at a time: taking a step cuts connections, and the others have to be there meanwhile.

Nothing is remembered here that the members do not know: a rotation that was interrupted is begun anew, and goes on
from what they say. A member that is off is passed over, and catches up when it comes back (actors/keyring/keyring.py);
only to forget the old key while one may have nothing else has to be asked for twice (`force`).

What lives here: the order. It is told what members said and what time it is, and says what to do. What does not:
asking (commands/keys.py), and what a member does (keyring.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from transport.ring import Stage

PATIENCE_S: Final = 30.0
"""How long a rotation goes on without any member coming a step further."""

SETTLE_S: Final = 0.3
"""Between a step of one member and the next: its connections come back."""

RETRY_S: Final = 0.5

STEPS: Final = (Stage.INSTALLED, Stage.USING, Stage.SETTLED)

_LIVE: Final = frozenset({"alive", "suspect"})

Row = Mapping[str, Any]
"""A member as `keys list` has it."""


class Look(Struct, frozen=True):
    """Ask what every member has: `seen` is told the answer, or `failed`."""


class Tell(Struct, frozen=True):
    """Ask a member to take a step: `told`, `refused` or `failed`."""

    member: str
    name: str
    stage: Stage


class Wait(Struct, frozen=True):
    """Nothing to do for so many seconds."""

    wait_s: float


class Done(Struct, frozen=True):
    """The end. trouble: why it is not the one that was wanted, "" if it is. off: members that were passed over."""

    trouble: str
    off: tuple[str, ...] = ()


Action = Look | Tell | Wait | Done


def steps_taken(row: Row, new: str) -> int:
    """How many of the steps towards the key with the fingerprint `new` a member has taken, as it says itself."""
    if new not in row["holds"]:
        return 0
    if row["stage"] == Stage.SETTLED:
        return len(STEPS)
    return 2 if row["stage"] == Stage.USING and row["uses"] == new else 1


class Rotation:
    """One run towards the key with the fingerprint `new`, up to the step `goal`."""

    def __init__(self, new: str, goal: Stage, now: float, *, force: bool = False) -> None:
        self._new = new
        self._goal = STEPS.index(goal) + 1
        self._force = force
        self._rows: dict[str, Row] = {}
        self._steps = 0
        self._deadline = now + PATIENCE_S
        self._wait_until = now
        self._is_looking = True
        self._end: Done | None = None
        self._trouble = ""

    def next(self, now: float) -> Action:
        """What to do now."""
        if self._end is None and now >= self._deadline:
            self._end = Done(f"{self._trouble or 'nothing has moved'} for {PATIENCE_S:g} s", self._off())
        if self._end is not None:
            return self._end
        if now < self._wait_until:
            return Wait(self._wait_until - now)
        if self._is_looking:
            return Look()
        return self._act(now)

    def seen(self, now: float, rows: Sequence[Row]) -> None:
        """What every member has."""
        self._rows = {row["id"]: row for row in rows}
        self._is_looking = False
        steps = sum(self._taken(row) for row in rows)
        if steps > self._steps:
            self._steps = steps  # the most so far: a member that is silent now and then does not come a step further
            self._deadline = now + PATIENCE_S

    def told(self, now: float) -> None:
        """The member has taken the step, on its disk; its connections are cut now and come back."""
        self._look_at(now + SETTLE_S)

    def refused(self, member: str, why: str) -> None:
        """The member will not: trying again does not change that."""
        self._end = Done(f"{self._name(member)} refused: {why}", self._off())

    def failed(self, now: float, why: str) -> None:
        """No answer: the entry or the member is down, or was restarted in the middle."""
        self._trouble = why
        self._look_at(now + RETRY_S)

    def _act(self, now: float) -> Action:
        live = [row for row in self._rows.values() if row["status"] in _LIVE]
        for step in range(1, self._goal + 1):
            if step == len(STEPS) and not self._may_finish():
                break
            behind = [row for row in live if self._taken(row) < step]
            if behind:
                return self._tell(now, behind, STEPS[step - 1])
            unsettled = [row["name"] for row in live if not row["applied"]]
            if unsettled:
                self._trouble = f"the sockets of {', '.join(unsettled)} do not go by it yet"
                self._look_at(now + RETRY_S)
                return Wait(RETRY_S)
        if self._end is None:
            self._end = Done("", self._off())
        return self._end

    def _tell(self, now: float, behind: Sequence[Row], stage: Stage) -> Action:
        silent = [f"{row['name']} ({row['error']})" for row in behind if row["error"]]
        if silent:
            self._trouble = f"no answer from {', '.join(silent)}"
            self._look_at(now + RETRY_S)
            return Wait(RETRY_S)
        return Tell(behind[0]["id"], behind[0]["name"], stage)

    def _may_finish(self) -> bool:
        """Whether no member can be locked out by forgetting the old key; if not, that is the end."""
        off = self._off()
        if off and not self._force:
            self._end = Done(
                f"{', '.join(off)} may have the old key only and would be locked out: start it, `force-leave` it if it "
                "will not come back, or give --force and start it with --key NEW_KEY_FILE later",
                off,
            )
        return self._end is None

    def _off(self) -> tuple[str, ...]:
        """Members that are down."""
        return tuple(row["name"] for row in self._rows.values() if row["status"] not in _LIVE)

    def _taken(self, row: Row) -> int:
        return steps_taken(row, self._new)

    def _name(self, member: str) -> str:
        row = self._rows.get(member)
        return str(row["name"]) if row else member

    def _look_at(self, at: float) -> None:
        self._is_looking = True
        self._wait_until = at
