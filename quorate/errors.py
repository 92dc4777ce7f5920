"""Errors that the key-value store adds to those of every client (transport/client/errors.py)."""

from __future__ import annotations

from transport.client.errors import ClientError


class Conflict(ClientError):  # noqa: N818 - named by what is the case, as the store's codes are
    """The key is not what the caller took it for.  Nothing was changed.  revision: the key's, 0 when there is none."""

    def __init__(self, text: str, revision: int) -> None:
        super().__init__(text)
        self.revision = revision


class Compacted(ClientError):  # noqa: N818 - as above
    """What was asked for is so long ago that it is not known any more.  revision: the oldest that is."""

    def __init__(self, text: str, revision: int) -> None:
        super().__init__(text)
        self.revision = revision


class LeaseLost(ClientError):  # noqa: N818 - as above
    """The lease has ended although it was to be kept: the servers heard nothing in time, or somebody revoked it."""
