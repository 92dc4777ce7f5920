"""The TCP port of a server: taken by a listening socket of our own, which ZeroMQ is handed copies of.

ZeroMQ can take a port itself, but not pass it on: during a rotation of the key (entrance.py) other sockets accept on
it, and a moment in between when it refuses connections would look like the end of the process to every other server.
A copy keeps the port open while whoever accepted before lets go; connections that arrive meanwhile wait.
"""

from __future__ import annotations

import errno
import socket

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from transport.address import Address, parse_address
from transport.errors import LinkError

_REOPEN_S = 0.5
"""ZeroMQ closes in the background: a port just closed is free only after a moment."""
_RETRY_S = 0.01


def take_port(bind: str, backlog: int) -> socket.socket:
    """A listening socket on `bind`. Raises LinkError, which says why there is none and what to try.

    A port that this process closed a moment ago may be waited for, half a second at most.
    """
    address = _resolve(parse_address(bind))
    try:
        for attempt in Retrying(
            retry=retry_if_exception(_is_in_use),
            stop=stop_after_delay(_REOPEN_S),
            wait=wait_fixed(_RETRY_S),
            reraise=True,
        ):
            with attempt:
                return _listen(address, backlog)
    except OSError as error:
        raise _explain(bind, error) from error
    raise AssertionError("the retries end with a return or an error")


def check_free(bind: str) -> None:
    """Raise LinkError, as taking it would, when `bind` cannot be had now: for a start that does other things first."""
    error = why_not_free(_resolve(parse_address(bind)))
    if error is not None:
        raise _explain(bind, error) from error


def why_not_free(address: Address) -> OSError | None:
    """What binding an address, its host an IP literal, would end with now; None if it can be had."""
    with _socket(address) as probe:
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return error
    return None


def bound_address(listening: socket.socket) -> Address:
    """Where a socket listens, with the real port."""
    host, port = listening.getsockname()[:2]
    return Address(host, port)


def _listen(address: Address, backlog: int) -> socket.socket:
    listening = _socket(address)
    try:
        listening.bind((address.host, address.port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _socket(address: Address) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if address.is_ipv6 else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address.is_ipv6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


def _is_in_use(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE


def resolved(address: Address) -> Address:
    """The address with its host as an IP literal, of IPv4 if it has one. Raises OSError for an unknown name."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return Address(str(found[0][4][0]), address.port)


def _resolve(address: Address) -> Address:
    try:
        return resolved(Address("0.0.0.0", address.port) if address.host == "*" else address)
    except OSError as error:
        raise LinkError(
            f"cannot listen on {address}: {address.host!r} is not a known host ({error.strerror})"
        ) from error


def _explain(bind: str, error: OSError) -> LinkError:
    reasons = {
        errno.EADDRINUSE: f"address {bind} is in use by another program; stop it, or choose another with --bind",
        errno.EADDRNOTAVAIL: f"address {bind} is not an address of this machine; choose another with --bind",
        errno.ENODEV: f"address {bind} is not an address of this machine; choose another with --bind",
        errno.EACCES: f"address {bind} may not be used by this user; choose a port above 1023 with --bind",
    }
    return LinkError(reasons.get(error.errno or 0, f"cannot listen on {bind}: {error.strerror}"))
