"""How a request to a cluster can fail, for the programs that make it: one class for each thing they may do about it.

`certainly_not_applied` answers the only question that matters before trying again: can the command have been carried
out?  The exit codes are the command line's.
"""

from __future__ import annotations

from typing import ClassVar, Final

from transport.client.protocol import NO_GATEWAY, Code, Response
from transport.errors import QuorateError

IN_DOUBT: Final = "; what was asked may or may not have been done"
"""Behind the reason why there is no answer to what would change something."""


class ClientError(QuorateError):
    """A request came to nothing.  The text is one line for people."""

    certainly_not_applied: ClassVar[bool] = True


class Unreachable(ClientError):  # noqa: N818 - these are named by what is the case, as the codes of the protocol are
    """No server answers at any of the addresses."""

    exit_code = 3


class TurnedAway(Unreachable):
    """A server refuses the handshake, because of the key mostly: it will refuse the next one too."""


class NoLeader(ClientError):  # noqa: N818
    """The cluster had no leader, or no quorum, until the deadline.  Nothing was changed."""

    exit_code = 4


class Diverged(NoLeader):
    """The server answers no read from its own store: it has a history that its cluster has not.  Ask another one."""


class OutcomeUnknown(ClientError):  # noqa: N818
    """The request was sent and not answered: it may or may not have been carried out.

    Whoever tries again must be sure that twice does no harm, or look first.
    """

    exit_code = 4
    certainly_not_applied = False


class SessionExpired(OutcomeUnknown):
    """A command was sent again, and its session had expired meanwhile.  It was not applied this time.

    Whether it was before, nobody can tell any more: a session expires by thousands of others being used since.  A
    command whose session is found expired at the first attempt is sent again in a new session, by itself.
    """


class Overloaded(ClientError):  # noqa: N818
    """The server has too much to do.  Nothing was changed."""


class TooLarge(ClientError):  # noqa: N818
    """A command is over a limit of the cluster.  Nothing was changed."""


class NotFound(ClientError):  # noqa: N818
    """What the request is about does not exist."""


class Refused(ClientError):  # noqa: N818
    """The server understood and will not; the text says why."""


class BadRequest(ClientError):  # noqa: N818
    """The server does not understand the request: it is of another release, or the arguments are wrong."""


class RequestFailed(ClientError):  # noqa: N818
    """Something went wrong in the server, or took too long there."""

    certainly_not_applied = False


_BY_CODE: dict[str, type[ClientError]] = {
    Code.BAD_REQUEST: BadRequest,
    Code.NO_LEADER: NoLeader,
    Code.DIVERGED: Diverged,
    Code.OUTCOME_UNKNOWN: OutcomeUnknown,
    Code.SESSION_EXPIRED: SessionExpired,
    Code.TOO_LARGE: TooLarge,
    Code.OVERLOADED: Overloaded,
    Code.NOT_FOUND: NotFound,
    Code.REFUSED: Refused,
    NO_GATEWAY: Unreachable,
}


def error_of(response: Response) -> ClientError:
    """The exception for a response that is not "ok"."""
    kind = _BY_CODE.get(response.code, RequestFailed)
    return kind(response.message or f"the server answered {response.code}")
