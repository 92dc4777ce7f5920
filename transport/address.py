"""Addresses of servers: HOST:PORT as text, with brackets around an IPv6 literal, and what can be told from the text.

Nothing here asks a resolver or opens a socket.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct

from transport.errors import AddressError

PORT_MAX = 65_535
_HOST_CHARS_MAX = 253  # RFC 1035: the longest host name
_HOST_EXTRA = frozenset("-._*")


class Address(Struct, frozen=True, order=True):
    """A host (name or IP literal, without brackets) and a port; port 0 stands for "any free one"."""

    host: str
    port: int

    def __str__(self) -> str:
        return format_address(self.host, self.port)

    @property
    def endpoint(self) -> str:
        """The address as ZeroMQ writes it."""
        return f"tcp://{self}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return is_loopback(self.host)

    @property
    def is_wildcard(self) -> bool:
        """Whether the address stands for every interface: good to bind, useless to connect to."""
        ip = _literal(self.host)
        return self.host == "*" or (ip is not None and ip.is_unspecified)

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is an IPv6 literal."""
        return ":" in self.host


def parse_address(text: str) -> Address:
    """The address in `text`, "HOST:PORT" or "[IPV6]:PORT". Raises AddressError, which says what is wrong with it."""
    host, colon, port_text = text.rpartition(":")
    if not colon or not port_text:
        raise AddressError(f"{text!r} is not an address: the port is missing, write HOST:PORT")
    if not (port_text.isascii() and port_text.isdigit()) or len(port_text) > len(str(PORT_MAX)):
        raise AddressError(f"{text!r} is not an address: {port_text!r} is not a port")
    port = int(port_text)
    if port > PORT_MAX:
        raise AddressError(f"{text!r} is not an address: a port is at most {PORT_MAX}")
    return Address(_parse_host(host, text), port)


def _parse_host(host: str, text: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        bare = host[1:-1]
        if not isinstance(_literal(bare), IPv6Address):
            raise AddressError(f"{text!r} is not an address: {bare!r} is not an IPv6 address")
        return bare
    if ":" in host:
        raise AddressError(f"{text!r} is not an address: write an IPv6 address as [ADDRESS]:PORT")
    if not host:
        raise AddressError(f"{text!r} is not an address: the host is missing, write HOST:PORT")
    if len(host) > _HOST_CHARS_MAX or not all((c.isalnum() and c.isascii()) or c in _HOST_EXTRA for c in host):
        raise AddressError(f"{text!r} is not an address: {host[:80]!r} is not a host name")
    return host


def format_address(host: str, port: int) -> str:
    """The text of an address; the inverse of `parse_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine alone. A name but "localhost" is not: nobody knows what it resolves to."""
    ip = _literal(host)
    return host.lower() == "localhost" or (ip is not None and ip.is_loopback)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
