"""A name belongs to one live server: what happens when two bear the same one.

Whoever asks to be let in under a taken name is turned away (admission.py), once whoever has it has shown that it lives:
it is asked, since it may have died without a word a moment ago, and be replaced already. Two can still come to bear one
name: both were let in at once through different members, the cluster was split when the second came, or an old process
goes on that others had given up and whose name has been given to another since. Then each of the two asks the others
whom they know under that name, and the one whom fewer name yields (Serf's name resolution); where as many name either,
the one with the higher id. Nothing is decided before two counts in a row had the same judges and the same outcome: the
views of a partition that has just healed take a moment to become one. So one yields, and all say which. It keeps its
id, its data and its vote, and comes back under another name.

Whoever has been among others since it was started is not turned away for its name when a split has ended, but let in,
and the name is settled so: two sides on which everybody has a namesake on the other would never meet else.

What lives here: the question, the count, and the end of a server that has lost its name or was never let in under it.
What does not: who is known under a name (roster.py: whom this server has seen alive under it first).
"""

from __future__ import annotations

from heapq import nsmallest
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct, field

from actors.gossip.effects import End
from actors.gossip.member import Intent, Status
from actors.gossip.messages import NameAnswer, NameAsk
from actors.gossip.shared import WARNING

if TYPE_CHECKING:
    from actors.gossip.member import Claim
    from actors.gossip.shared import Handlers, Shared, Source

ASKED_MAX = 64
CHECKS_MAX = 64
ROUNDS_PER_TIMEOUT = 4
"""How often who has not answered is asked again."""


class Check(Struct):
    """A member whose name another server wants was asked whether it lives."""

    sequence: int
    asked: float
    answered: float = -inf


class Contest(Struct):
    """This server and another bear one name."""

    rival: str
    begins: float
    sequence: int = 0
    """Of the question under way; 0 before it is put."""
    answers: dict[str, str | None] = field(default_factory=dict)
    """Whom each member that was asked knows under the name: an id, or None as long as it has not said."""
    again_at: float = inf
    until: float = inf
    counted: tuple[object, ...] = ()
    """The count before: the judges, and how many named whom."""


class Names:
    """This server's own name, and the contest for it if there is one."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._config = shared.config
        self._roster = shared.roster
        self._contest: Contest | None = None
        self._checks: dict[str, Check] = {}
        self.handlers: Handlers = {NameAsk: self._on_ask, NameAnswer: self._on_answer}

    # --- being let in ---

    def refused(self, reason: str) -> None:
        """Before anybody has let this server in, a member says that whoever has its name lives."""
        self._shared.out.append(End(reason))

    # --- letting others in ---

    def lives(self, now: float, member: Claim) -> bool:
        """Whether a member has shown of late that it lives; it is asked if not."""
        check = self._checks.get(member.id)
        if member.id == self._roster.own_id or (
            check is not None and now - check.answered < self._config.join_retry_max_s
        ):
            return True
        if check is None or now - check.asked >= self._config.join_timeout_s:
            if len(self._checks) >= CHECKS_MAX:
                self._checks.clear()
            self._checks[member.id] = check = Check(self._shared.sequence(), now)
            self._shared.send(member.address, NameAsk(check.sequence, member.name))
        return False

    # --- bearing one name ---

    def heed(self, now: float, claim: Claim) -> None:
        """A member has come, or is back, or has another name."""
        if self._is_rival(claim):
            if self._contest is None:
                self._contest = Contest(claim.id, now + self._config.join_timeout_s)
            return
        other = self._roster.namesake(claim)
        if other is not None and claim.is_live:
            self._shared.note_once(
                WARNING,
                f"two live servers are named {claim.name}: {_place(other)} and {_place(claim)}; one of them will yield",
            )

    def _on_ask(self, now: float, source: Source, ask: NameAsk) -> None:
        """Another server is in a contest: say whom this one knows under the name."""
        bearer = self._roster.bearer(ask.name)
        self._shared.send(source.address, NameAnswer(ask.sequence, bearer.id if bearer is not None else ""))

    def _on_answer(self, now: float, source: Source, answer: NameAnswer) -> None:
        """A member says whom it knows under a name; one whose own name that is shows by it that it lives."""
        check = self._checks.get(source.id)
        if check is not None and check.sequence == answer.sequence:
            check.answered = now
        contest = self._contest
        if contest is None or contest.sequence != answer.sequence or source.id not in contest.answers:
            return
        contest.answers[source.id] = answer.holder
        if all(answer is not None for answer in contest.answers.values()):
            self._count(now, contest)

    # --- time ---

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        contest = self._contest
        if contest is None:
            return inf
        return min(contest.again_at, contest.until) if contest.sequence else contest.begins

    def tick(self, now: float) -> None:
        """Ask, ask again, or count what has been said."""
        contest = self._contest
        if contest is None:
            return
        if not contest.sequence and now >= contest.begins:
            self._begin(now, contest)
        elif now >= contest.until:
            self._count(now, contest)
        elif now >= contest.again_at:
            self._ask(now, contest)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        contest = self._contest
        if contest is not None:
            contest.begins += stall_s
            contest.again_at += stall_s
            contest.until += stall_s

    # --- the contest ---

    def _is_rival(self, claim: Claim | None) -> bool:
        own = self._roster.own
        return (
            claim is not None
            and claim.status is Status.ALIVE
            and own.intent is Intent.JOIN
            and claim.name == own.name
            and claim.id != own.id
            and claim.address != own.address
        )

    def _rival(self, contest: Contest) -> Claim | None:
        """The other one; None, and the contest is over, when it is none any more."""
        rival = self._roster.get(contest.rival)
        if self._is_rival(rival):
            return rival
        self._contest = None
        return None

    def _begin(self, now: float, contest: Contest) -> None:
        rival = self._rival(contest)
        if rival is None:
            return
        own = self._roster.own
        self._shared.note_once(
            WARNING, f"{_place(rival)} has this server's name {own.name} too: asking the others whose it is"
        )
        judges = [claim.id for claim in self._roster.others() if claim.is_live and claim.id != rival.id]
        contest.sequence = self._shared.sequence()
        # Both ask the same.
        contest.answers = dict.fromkeys(nsmallest(ASKED_MAX, judges))
        contest.until = now + self._config.join_timeout_s
        self._ask(now, contest)
        if not judges:
            self._count(now, contest)

    def _ask(self, now: float, contest: Contest) -> None:
        contest.again_at = now + self._config.join_timeout_s / ROUNDS_PER_TIMEOUT
        for member_id, answer in contest.answers.items():
            member = self._roster.get(member_id)
            if answer is None and member is not None:
                self._shared.send(member.address, NameAsk(contest.sequence, self._roster.own.name))

    def _count(self, now: float, contest: Contest) -> None:
        rival = self._rival(contest)
        if rival is None:
            return
        answers = list(contest.answers.values())
        mine, theirs, open_ = answers.count(self._roster.own_id), answers.count(rival.id), answers.count(None)
        counted = (frozenset(contest.answers), mine, theirs, open_)
        if counted != contest.counted:
            self._contest = Contest(rival.id, now + self._config.join_timeout_s, counted=counted)
            return
        loses = theirs > mine + open_ or (mine == theirs and not open_ and self._roster.own_id > rival.id)
        count = f"{mine} of {len(answers)} members know this server under that name, and {theirs} the other"
        name = self._roster.own.name
        if not loses:
            self._shared.note_once(WARNING, f"this server stays {name}, and {_place(rival)} should yield: {count}")
            # Whoever should have yielded and still lives is told the same again later.
            self._contest = Contest(rival.id, now + self._config.join_retry_max_s)
            return
        self._contest = None
        self._shared.out.append(
            End(
                f"the name {name} belongs to {_place(rival)}, and this server yields: {count}. Start it again with "
                "another --name: it keeps its id and its data"
            )
        )


def _place(claim: Claim) -> str:
    return f"{claim.id} at {claim.address}"
