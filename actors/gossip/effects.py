"""What the gossip core wants done. The core touches nothing; gossip.py, or a simulator, carries these out in order."""

from attrs import frozen

from actors.gossip.member import Claim, Member


@frozen
class Send:
    """Tell the gossip actor of the server at `address`. It may get lost."""

    address: str
    message: object


@frozen
class Changed:
    """A member's status, name, address or tags changed. old_status: "" for a new member; reason: for the log."""

    member: Member
    old_status: str
    reason: str
    forgotten: bool = False


@frozen
class Remember:
    """Keep what is known of this member for the next start: an address to try first. It may be written late."""

    claim: Claim


@frozen
class Forget:
    """Do not keep this member any more."""

    member_id: str


@frozen
class KeepClock:
    """Write down soon that Lamport times up to and with `upto` may have been used."""

    upto: int


@frozen
class Reserve:
    """Write down that incarnations up to and with `upto` may have been used, then call `Swim.reserved`."""

    upto: int


@frozen
class Adopt:
    """This server, which had no cluster, belongs to this one from now on."""

    cluster_id: str


@frozen
class Found:
    """This server, which had no cluster, founds this one, whose first voters are these members; see muster.py."""

    cluster_id: str
    members: tuple[Claim, ...]


@frozen
class JoinDone:
    """One address that somebody asked to join has answered, or has not in time. reason: "" when it worked."""

    address: str
    reason: str


@frozen
class LeaveDone:
    """Everybody has acknowledged a step of leaving, or time is up. Ids of members."""

    phase: str
    acknowledged: tuple[str, ...]
    missing: tuple[str, ...]


@frozen
class Note:
    """A line for the log."""

    level: int
    """As in the logging module: 20 info, 30 warning."""
    text: str


Effect = Send | Changed | Remember | Forget | KeepClock | Reserve | Adopt | Found | JoinDone | LeaveDone | Note
