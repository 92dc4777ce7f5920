"""Where HTTP listens, looked at before a server starts: what is wrong ends the start before others have heard of it.

What lives here: whether the address can be had, and what to say when not.  What does not: listening (http.py), whose
import of aiohttp takes nearly as long as all the rest of a start.
"""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from transport.address import Address, parse_address
from transport.errors import QuorateError
from transport.links.port import resolved, why_not_free


class HttpError(QuorateError):
    """HTTP cannot listen where it was told to."""


def check_http(address: str | None, tokens: Path | None) -> None:
    """Raise HttpError or TokenFileError, as starting HTTP would, when HOST:PORT or the file cannot be used now."""
    if address is None:
        return
    if tokens is not None:
        # What reads the file is not needed before the cluster is joined where there is none.
        from actors.gateway.http.tokens import Tokens

        Tokens.load(tokens)
    wanted = parse_address(address)
    try:
        error = why_not_free(resolved(wanted))
    except OSError as unknown_name:
        error = unknown_name
    if error is not None:
        raise why_not_served(wanted, error)


def why_not_served(address: Address, error: OSError) -> HttpError:
    """The error for the person who starts the server."""
    advice = "choose another address with --http HOST:PORT, or none with --http off"
    if error.errno == errno.EADDRINUSE:
        return HttpError(f"the HTTP address {address} is in use: {advice}")
    reason = "the name is not known" if isinstance(error, socket.gaierror) else error.strerror or str(error)
    return HttpError(f"cannot serve HTTP on {address} ({reason}): {advice}")
