"""A server as `cli.py start` runs it, with a probe on its event loop (stalls.py).

python -m bench.watched_server NAME HOST:PORT DATA_DIR STALLS_FILE [PEER]
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from actors.config import NodeConfig
from actors.serving import run
from bench.stalls import StallProbe
from commands.logs import configure_logs


async def _run(config: NodeConfig, stalls: Path) -> int:
    StallProbe(stalls)
    return await run(config)


def main() -> None:
    """Run until stopped."""
    name, bind, data_dir, stalls, *peers = sys.argv[1:]
    config = NodeConfig(Path(data_dir), name, bind, peers=tuple(peers), fault_hooks=True)
    configure_logs(config.log_level, config.log_format)
    sys.exit(asyncio.run(_run(config, Path(stalls))))


if __name__ == "__main__":
    main()
