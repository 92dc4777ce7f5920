"""What a program gives NodeConfig (actors/config.py): a setting of another type is refused in one line, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.config import ConfigError, NodeConfig
from actors.node import Node


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"data_dir": 5}, "data_dir takes a path, not int"),
        ({"data_dir": None}, "data_dir takes a path, not NoneType"),
        ({"key_file": 5}, "key_file takes a path, not int"),
        ({"http_tokens": b"t"}, "http_tokens takes a path, not bytes"),
        ({"bind": 5}, "bind takes text, not int"),
        ({"name": None}, "name takes text, not NoneType"),
        ({"http": False}, "http takes text, not bool"),
        ({"peers": 5}, "peers takes texts, not int"),
        ({"peers": [("127.0.0.1", 1)]}, "peers takes texts, not tuple"),
        ({"event_handlers": [None]}, "event_handlers takes texts, not NoneType"),
        ({"insecure": "no"}, "insecure takes True or False, not str"),
        ({"max_voters": "x"}, "max_voters takes a whole number, not str"),
        ({"max_voters": True}, "max_voters takes a whole number, not bool"),
        ({"monitor_port": 1.5}, "monitor_port takes a whole number, not float"),
        ({"dead_server_timeout": "9"}, "dead_server_timeout takes a number, not str"),
        ({"tags": ["a=b"]}, "tags takes a mapping of texts, not list"),
    ],
)
def test_a_setting_of_another_type(settings: dict[str, Any], line: str) -> None:
    """It is said when a Node is made of it, before anything is done."""
    with pytest.raises(ConfigError) as refused:
        Node(NodeConfig(**{"data_dir": "data", **settings}))

    assert str(refused.value) == f"NodeConfig: {line}"


def test_what_stands_for_a_type() -> None:
    """A text for a path, one text or any list for several, a whole number for seconds."""
    config = NodeConfig("data", peers=["127.0.0.1:1"], event_handlers="notify", key_file="k", dead_server_timeout=9)
    config.check()

    assert (config.data_dir, config.key_file) == (Path("data"), Path("k"))
    assert (config.peers, config.event_handlers) == (("127.0.0.1:1",), ("notify",))
