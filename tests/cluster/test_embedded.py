"""A server inside a program: what the program may do wrong with it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from actors import node as node_module
from quorate import KeyValue, Node, NodeConfig, OutcomeUnknown, Unreachable
from storage.kv_protocol import put
from tests.ports import free_ports
from transport.address import parse_address
from transport.errors import QuorateError
from transport.links.port import why_not_free

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


@pytest.mark.parametrize("step", ["import_rest", "import_http"])
async def test_a_node_that_is_stopped_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its start ends with one line, and starts nothing behind the stop; the next one is as any other."""
    address = f"127.0.0.1:{free_ports(1)}"
    node = Node(NodeConfig(tmp_path / "data", bind=f"127.0.0.1:{free_ports(1)}", http=address))
    under_way, go_on = threading.Event(), threading.Event()
    imports = getattr(node_module, step)

    def slowly() -> object:
        under_way.set()
        go_on.wait(10.0)
        return imports()

    with monkeypatch.context() as patch:
        patch.setattr(node_module, step, slowly)
        starting = asyncio.ensure_future(node.start())
        await asyncio.to_thread(under_way.wait, 10.0)
        stopping = asyncio.ensure_future(node.stop())
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(RuntimeError, match="a start of it has not ended yet"):
            await node.start()
        with pytest.raises(QuorateError, match="stopped while it started"):
            await starting
        await stopping

    assert why_not_free(parse_address(address)) is None
    async with node:
        await node.propose(put("a", b"1"))


async def test_a_node_that_is_stopped_before_it_has_an_address(tmp_path: Path) -> None:
    """Nobody has cancelled whoever waits for its start, so that is not what it is told."""
    node = Node(NodeConfig(tmp_path / "data", bind=f"127.0.0.1:{free_ports(1)}", http="off"))
    starting = asyncio.ensure_future(node.start())
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)

    await node.stop()

    with pytest.raises(QuorateError, match="stopped while it started"):
        await starting


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
