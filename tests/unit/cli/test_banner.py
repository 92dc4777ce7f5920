"""What `start` prints: the line for one more server works on the machine that it was printed on."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from actors import banner as banner_module
from actors.banner import banner, ports_at, second_port
from actors.config import NodeConfig
from actors.identity import Identity
from tests.ports import free_ports


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({}, 7956),
        ({"monitor_port": 7950}, 7956),
        ({"monitor_port": 7954}, 7966),
        ({"monitor_port": 7957}, 7966),
        ({"http": "127.0.0.1:7956"}, 7966),
        ({"http": "127.0.0.1:7957", "monitor_port": 7966}, 7976),
        ({"http": "off", "bind": "127.0.0.1:65530"}, 65520),
        ({"http": "off", "bind": "127.0.0.1:65525"}, 65515),
        ({"bind": "127.0.0.1:65524"}, 65534),
        ({"advertise": "127.0.0.1:7936"}, 7956),
    ],
)
def test_the_second_server_collides_with_nothing_of_the_first(settings: dict[str, Any], port: int) -> None:
    """Neither its port nor the HTTP port behind it is one that this server has."""
    assert second_port(NodeConfig(data_dir=Path("d"), **settings), (), lambda _: True) == port


@pytest.mark.parametrize(("taken", "port"), [({7956}, 7966), ({7957}, 7966), ({7956, 7967}, 7976)])
def test_the_second_server_collides_with_nobody_else(taken: set[int], port: int) -> None:
    """A port that another program has is passed over, and one whose HTTP port is taken."""
    assert second_port(NodeConfig(data_dir=Path("d")), (), lambda port: port not in taken) == port


def test_the_place_of_a_member_that_is_down_is_not_offered() -> None:
    """Nobody listens there for the moment; a server started there would take its place when it wants to come back."""
    remembered = ["127.0.0.1:7946", "127.0.0.1:7956", "192.0.2.1:7966"]

    assert ports_at("127.0.0.1", remembered) == {7946, 7947, 7956, 7957}
    assert second_port(NodeConfig(data_dir=Path("d")), ports_at("127.0.0.1", remembered), lambda _: True) == 7966


def test_a_machine_without_free_ports() -> None:
    """The search ends, with a port that is at least not this server's."""
    assert second_port(NodeConfig(data_dir=Path("d")), (), lambda _: False) == 7956


def test_a_listening_port_is_seen() -> None:
    """The kernel is asked, not a list of one's own."""
    first = free_ports(12)
    with socket.create_server(("127.0.0.1", first + 10)):
        assert second_port(NodeConfig(data_dir=Path("d"), bind=f"127.0.0.1:{first}", http="off")) != first + 10


def test_an_installed_server_names_the_installed_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no cli.py where the package was installed."""
    monkeypatch.setattr(banner_module, "PROGRAM", "quorate")
    line = banner(NodeConfig(data_dir=Path("d")), Identity("f" * 32, "one", "127.0.0.1:7946", boot=1)).splitlines()[-1]

    assert line.startswith("one more  quorate start --bind ")


def test_a_local_cluster_grows_by_another_command() -> None:
    """Its next server is not there yet, and may want the very port that is still free."""
    config = NodeConfig(data_dir=Path("d"), fault_hooks=True)

    assert "one more" not in banner(config, Identity("f" * 32, "one", "127.0.0.1:7946", boot=1))


def test_the_line_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a blank in its name is one word."""
    monkeypatch.setattr(banner_module, "second_port", lambda config, members: 7956)
    config = NodeConfig(data_dir=Path("my data"), key_file=Path("my key"), app="shop:Carts")
    line = banner(config, Identity("f" * 32, "one", "127.0.0.1:7946", boot=1)).splitlines()[-1]

    assert line == (
        "one more  python cli.py start --bind 127.0.0.1:7956 --peer 127.0.0.1:7946 --data-dir 'my data-2' "
        "--key 'my key' --app shop:Carts"
    )


@pytest.mark.parametrize(
    ("settings", "itself"),
    [
        ({"peers": ()}, False),
        ({"peers": ("127.0.0.1:7946",)}, True),
        ({"peers": ("localhost:7946", "127.0.0.1:7946")}, True),
        ({"peers": ("127.0.0.1:7946", "127.0.0.1:7956")}, False),
        ({"peers": ("127.0.0.2:7946",)}, False),
        ({"peers": ("db1:7946",), "bind": "0.0.0.0:7946", "advertise": "DB1:7946"}, True),
        ({"peers": ("127.0.0.1:7946",), "bind": "0.0.0.0:7946", "advertise": "db1:7946"}, True),
        ({"peers": ("127.0.0.1:9946",), "bind": "0.0.0.0:7946", "advertise": "db1:9946"}, False),
    ],
)
def test_peers_that_are_this_server_itself(settings: dict[str, Any], itself: bool) -> None:
    """However it is written; one other server among them is enough."""
    assert NodeConfig(data_dir=Path("d"), **settings).knows_only_itself == itself
