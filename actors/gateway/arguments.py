"""What operators' requests carry: one shape an operation, decoded strictly.

An argument that is not in the shape is refused with its name, so that a client of a later release learns that this
server does not know what it asks for, instead of being half obeyed.
"""

import msgspec

from actors.gateway.log_tap import Level


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments: the shape of most operations, and the base of the others."""


class MembersArguments(Arguments, frozen=True):
    """The one member whose story is wanted, or "" for all members.  Who wants a few of them chooses for himself."""

    why: str = ""


class RttArguments(Arguments, frozen=True):
    """Two members by name or id; the second is the server that is asked, if none is named."""

    start: str
    to: str = ""


class TagsArguments(Arguments, frozen=True):
    """Tags to set and names of tags to remove."""

    put: dict[str, str] = {}
    remove: list[str] = []


class MonitorArguments(Arguments, frozen=True):
    """Log lines behind a cursor, from a level on, and how long to wait for one."""

    level: Level = "info"
    cursor: str = ""
    wait_s: float = 0.0


class JoinArguments(Arguments, frozen=True):
    """Addresses of servers to join."""

    peers: list[str]


class NameArguments(Arguments, frozen=True):
    """A server by its name or id; "" where the operation may choose one."""

    name: str = ""


class ForceLeaveArguments(Arguments, frozen=True):
    """A member by its name or id. prune: have it forgotten too."""

    name: str
    prune: bool = False


class KillArguments(Arguments, frozen=True):
    """One incarnation of an actor, as NAME@INCARNATION."""

    target: str


class CutArguments(Arguments, frozen=True):
    """A server's address, and which of its frames are dropped."""

    address: str
    inbound: bool = True
    outbound: bool = True


class CrashArguments(Arguments, frozen=True):
    """An actor by its name."""

    actor: str


class StepArguments(Arguments, frozen=True):
    """One stage of a rotation of the key for one member; see actors.keyring.messages.KeysStep."""

    member: str
    stage: str
    new: str
    proof: str
