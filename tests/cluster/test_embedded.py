"""A server inside a program: what the program may do wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quorate import KeyValue, Node, NodeConfig, OutcomeUnknown, Unreachable
from storage.kv_protocol import put
from tests.ports import free_ports

pytestmark = pytest.mark.cluster


async def test_a_node_that_does_not_run(tmp_path: Path) -> None:
    """Before its start and after its end a request was certainly not carried out; stopping does no harm."""
    node = Node(NodeConfig(tmp_path / "data", bind=f"127.0.0.1:{free_ports(1)}", http="off"))
    with pytest.raises(Unreachable, match="does not run"):
        await node.propose(put("a", b"1"))
    await node.stop()
    await node.start()
    try:
        with pytest.raises(RuntimeError, match="runs already"):
            await node.start()
        await node.propose(put("a", b"1"))
    finally:
        await node.stop()
    await node.stop()

    with pytest.raises(Unreachable, match="does not run"):
        await node.read(b"")


async def test_a_node_that_has_given_up(tmp_path: Path) -> None:
    """Whatever is asked of it from then on ends with why, not with the advice to try again: only a new start helps."""
    node = Node(NodeConfig(tmp_path / "data", bind=f"127.0.0.1:{free_ports(1)}", http="off"))
    await node.start()
    try:
        await node.propose(put("a", b"1"))
        (tmp_path / "data" / "raft.db").unlink()
        with pytest.raises(OutcomeUnknown):
            await node.propose(put("a", b"2"), timeout_s=1.0)
        assert await node.wait() == 70

        for request in (node.propose(put("a", b"3")), node.read(b""), node.read_stale(b"")):
            with pytest.raises(Unreachable, match=r"this node gave up: .*raft\.db was removed or replaced"):
                await request
    finally:
        await node.stop()


async def test_the_store_of_a_node(tmp_path: Path) -> None:
    """A node without a state machine of its own has the key-value store, used without a connection."""
    async with Node(NodeConfig(tmp_path / "data", bind=f"127.0.0.1:{free_ports(1)}", http="off")) as node:
        kv = KeyValue(node)
        await kv.put("a", "1")
        found = await kv.get("a")
        assert found is not None
        assert (found.value, (await kv.get_stale("a")).answer) == (b"1", found)
        with pytest.raises(TypeError, match="only a client can watch"):
            await kv.watch("a")


def test_settings_as_programs_write_them() -> None:
    """A folder is a text as well as a path, and one peer needs no list."""
    config = NodeConfig("data", peers="127.0.0.1:7946", key_file="key")

    assert config == NodeConfig(Path("data"), peers=("127.0.0.1:7946",), key_file=Path("key"))
