"""What `start` prints: the line for one more server works on the machine that it was printed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.banner import banner, second_port
from actors.config import NodeConfig
from actors.identity import Identity


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
    assert second_port(NodeConfig(data_dir=Path("d"), **settings)) == port


def test_the_line_can_be_pasted() -> None:
    """A folder with a blank in its name is one word."""
    config = NodeConfig(data_dir=Path("my data"), key_file=Path("my key"))
    line = banner(config, Identity("f" * 32, "one", "127.0.0.1:7946", boot=1)).splitlines()[-1]

    assert line == (
        "one more  python cli.py start --bind 127.0.0.1:7956 --peer 127.0.0.1:7946 --data-dir 'my data-2' "
        "--key 'my key'"
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
