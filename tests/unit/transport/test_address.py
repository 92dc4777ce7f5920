"""Addresses: text in, the same text out, and a clear refusal of anything else."""

from __future__ import annotations

import pytest

from transport.address import Address, is_loopback, parse_address
from transport.errors import AddressError


@pytest.mark.parametrize(
    ("text", "host", "port", "endpoint"),
    [
        ("127.0.0.1:7946", "127.0.0.1", 7946, "tcp://127.0.0.1:7946"),
        ("node-1.example:80", "node-1.example", 80, "tcp://node-1.example:80"),
        ("[::1]:7946", "::1", 7946, "tcp://[::1]:7946"),
        ("0.0.0.0:0", "0.0.0.0", 0, "tcp://0.0.0.0:0"),
    ],
)
def test_an_address_reads_and_writes_the_same(text: str, host: str, port: int, endpoint: str) -> None:
    """Parsing and formatting are inverses, and ZeroMQ's form follows."""
    address = parse_address(text)

    assert address == Address(host, port)
    assert str(address) == text
    assert address.endpoint == endpoint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "port is missing"),
        ("host", "port is missing"),
        ("host:", "port is missing"),
        (":7946", "host is missing"),
        ("host:http", "'http' is not a port"),
        ("host:-1", "'-1' is not a port"),
        ("host:٣", "is not a port"),
        ("host:65536", "at most 65535"),
        ("host:99999999999999999999", "is not a port"),
        ("::1:7946", r"\[ADDRESS\]:PORT"),
        ("[host]:7946", "not an IPv6"),
        ("ho st:7946", "not a host name"),
        ("tcp://host:7946", r"\[ADDRESS\]:PORT"),
        ("a/b:1", "not a host name"),
        ("x" * 300 + ":1", "not a host name"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, why: str) -> None:
    """What is no address is refused with the reason, as an error a command can end with."""
    with pytest.raises(AddressError, match=why) as refused:
        parse_address(text)
    assert refused.value.exit_code == 2
    assert isinstance(refused.value, ValueError)


def test_loopback_and_wildcard() -> None:
    """Only what the text proves to be this machine is loopback: a name that merely might be is not."""
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "*"))
    assert all(Address(host, 1).is_wildcard for host in ("0.0.0.0", "::", "*"))
    assert not Address("127.0.0.1", 1).is_wildcard
