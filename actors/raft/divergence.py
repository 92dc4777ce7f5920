"""Committed entries that a server does not share with its cluster: how that came out, and whom it does not follow.

What lives here: the record of it.  What does not: the comparison of logs (follower.py), votes (election.py), and the
reads that are not answered meanwhile (core.py, attesting.py).

By Raft a leader has everything that is committed.  Where one has not, a data directory, this server's or that of
others, was put back from an older copy.  Which of them it was no server can know, but a majority settles it:

1. A server finds that a leader's log contradicts what is committed here: it has *diverged* from that leader.  It takes
   nothing of it, no snapshot either: it may be the last one to have what was acknowledged.
2. It gives that leader no answer and no vote.  So one whom a majority contradicts steps down, and another is elected;
   one who has a majority knows by the silence who is not to be counted on.
3. It hears that leader, and so stands against nobody.
4. It answers no read from what it has, until a leader has all that is committed here, or it leads itself.
"""

from attrs import define, field


@define
class Divergence:
    """What one incarnation knows.  why: a line for people, "" while there is no divergence."""

    why: str = ""
    leaders: set[str] = field(factory=set)
    """Ids of those who contradict what is committed here."""

    def begin(self, leader: str, why: str) -> None:
        """A leader contradicts what is committed here."""
        self.leaders.add(leader)
        self.why = why

    def end(self) -> None:
        """What is committed here is the cluster's."""
        self.leaders.clear()
        self.why = ""
