"""A state machine of one's own, on one server: start two more with `peers` and every counter survives a machine."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from quorate import Node, NodeConfig


class Counter:
    """Adds up what is proposed. The same commands in the same order give the same count on every server."""

    def __init__(self) -> None:
        self.count = 0

    def apply(self, command: bytes) -> bytes:
        """Add a number; called once for every committed command.  What is wrong with one is an answer, the same one
        on every server: an exception would say nothing to whoever asked.
        """
        if not command.lstrip(b"-").isdigit():
            return b"error: no number"
        self.count += int(command)
        return str(self.count).encode()

    def read(self, query: bytes) -> bytes:
        """Say the count; changes nothing."""
        return str(self.count).encode()

    def snapshot(self) -> Iterable[bytes]:
        """The whole state, so that the log need not be kept for ever."""
        return [str(self.count).encode()]

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Take over the state of a snapshot."""
        self.count = int(b"".join(chunks))


async def main() -> None:
    """Run a server in this program, add seven, and stop; the count goes on where it was the next time."""
    config = NodeConfig(data_dir=Path("counter-data"), bind="127.0.0.1:7976", http="off")
    async with Node(config, Counter) as node:
        print("after a write:", (await node.propose(b"7")).decode())
        print("read back:", (await node.read(b"")).decode())


if __name__ == "__main__":
    asyncio.run(main())
