"""A plain TCP connect: the quickest evidence that a process is gone.

libzmq's monitor gives no errno and retries late (186 ms after a kill); the kernel refuses a connection to a port
nobody listens on at once. A time-out or an unreachable host is no evidence of anything but a bad network.
"""

from __future__ import annotations

import asyncio
import socket
from enum import StrEnum

from msgspec import Struct

from transport.address import Address


class Outcome(StrEnum):
    """What a connect met."""

    CONNECTED = "connected"
    REFUSED = "refused"
    FAILED = "failed"


class Probe(Struct, frozen=True):
    """The outcome of a connect, and in words."""

    outcome: Outcome
    text: str


async def probe_tcp(address: Address, timeout_s: float) -> Probe:
    """Connect and close at once. REFUSED only when every address behind a host name refuses. Never raises OSError."""
    loop = asyncio.get_running_loop()
    refused: OSError | None = None
    try:
        async with asyncio.timeout(timeout_s):
            for family, kind, protocol, _, target in await loop.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM
            ):
                with socket.socket(family, kind, protocol) as sock:
                    sock.setblocking(False)
                    try:
                        await loop.sock_connect(sock, target)
                    except ConnectionRefusedError as error:
                        refused = error
                    else:
                        return Probe(Outcome.CONNECTED, "connected")
    except TimeoutError:
        return Probe(Outcome.FAILED, f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Probe(Outcome.FAILED, error.strerror or str(error))
    return Probe(Outcome.REFUSED, "connection refused") if refused else Probe(Outcome.FAILED, "no such host")
