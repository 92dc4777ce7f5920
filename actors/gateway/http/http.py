"""The HTTP actor: takes the address, serves the API, and gives the address back.

What lives here: the life of one aiohttp server.  What does not: paths (app.py) and bodies (api.py).  aiohttp
takes a fifth of a second to import: a server imports this module last, in a thread (actors/node.py).
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from aiohttp.web import AppRunner

from actors.gateway.http.address import why_not_served
from actors.gateway.http.app import make_app
from actors.gateway.http.door import Door, connections_max
from actors.gateway.http.guard import request_log
from actors.gateway.http.tokens import Tokens
from actors.runtime.actor import Actor, Context
from transport.address import parse_address

SHUTDOWN_TIMEOUT_S: Final = 1.0
"""How long requests in progress may still take when the actor stops."""

BACKLOG: Final = 32
"""Also how many connections asyncio takes at a time, before any of them can be turned away."""

log = logging.getLogger("quorate.http")


class HttpActor(Actor):
    """Serves HTTP while it lives; `address` is HOST:PORT, `tokens` the file that says who may do what."""

    def __init__(self, context: Context, address: str, tokens: Path | None = None) -> None:
        super().__init__(context)
        self._tokens = tokens
        self._address = parse_address(address)
        self._runner: AppRunner | None = None
        self._listener: asyncio.Server | None = None

    async def on_start(self) -> None:
        """Take the address.  Raises HttpError, for the person who starts the server, when that is impossible.

        The tokens are read now, so that a restart of this actor takes what their file says by then.
        """
        tokens = Tokens.load(self._tokens) if self._tokens is not None else None
        self._runner = AppRunner(
            make_app(self.context.ref("gateway"), self._address, tokens),
            access_log=None,
            logger=request_log,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
            # A body is stored as it is; one that says it is encoded is refused before it is looked into.
            auto_decompress=False,
        )
        await self._runner.setup()
        server = self._runner.server
        assert server is not None, "a runner that is set up has one"
        door = Door(server, connections_max())
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                door, self._address.host, self._address.port, reuse_address=True, backlog=BACKLOG
            )
        except OSError as error:
            raise why_not_served(self._address, error) from None
        log.info("HTTP: http://%s", self._address)

    async def on_stop(self) -> None:
        """Give the address back."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
