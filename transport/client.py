"""The client for asyncio programs: any server as the entry, the leader followed, many asks under way at once.

What lives here: which servers there are and which one is asked, and what is tried again.  What does not: single
connections (client_link.py), batches and deadlines (client_asks.py), and what commands mean: those are bytes here
(quorate.Client adds the key-value store).

A command is tried again only when it was certainly not applied; an `OutcomeUnknown` is the caller's to decide about.
Reads and questions are tried again until their deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import zmq
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_random_exponential

from transport.address import parse_address
from transport.client_asks import PROPOSE, READ, Ask, AskLimits, Asks
from transport.client_errors import ClientError, NoLeader, Overloaded, TooLarge, Unreachable
from transport.client_link import ClientLink
from transport.client_protocol import Response
from transport.errors import AddressError
from transport.keys import ClusterKey, load

if TYPE_CHECKING:
    from transport.address import Address

DEFAULT_ADDRESS: Final = "127.0.0.1:7946"
COMMAND_BYTES_MAX: Final = 1024 * 1024
"""The cluster's own limit, held here so that one large command does not cost those it is sent with their outcome."""

LINKS_MAX: Final = 16
TICK_S: Final = 0.05
REFRESH_S: Final = 5.0
REFRESH_PAUSE_S: Final = 0.2
STALL_S: Final = 0.5
"""A server that owes an answer for so long may have lost its office, or have been stopped: the others are asked."""

REFRESH_TIMEOUT_S: Final = 1.0
RETRY_FIRST_S: Final = 0.02
RETRY_MAX_S: Final = 0.5

_REACHABLE: Final = frozenset({"alive", "suspect", "leaving"})
_AGAIN: Final = (NoLeader, Overloaded)


class Client:
    """A client of one cluster.  Use it in an `async with`, which connects and closes it.

    addresses: one or more servers; the others are found through them.  key: the cluster's or a client's key file.
    timeout_s: how long a call may take, unless it says otherwise.  Every call raises a ClientError when it fails.
    """

    def __init__(
        self,
        *addresses: str,
        key: ClusterKey | str | Path | None = None,
        timeout_s: float = 5.0,
        limits: AskLimits | None = None,
    ) -> None:
        self._seeds = [parse_address(address) for address in addresses or (DEFAULT_ADDRESS,)]
        self._key = load(key) if isinstance(key, str | Path) else key
        self._timeout_s = timeout_s
        self._asks = Asks(limits or AskLimits(), self._send)
        self._links: dict[str, ClientLink] = {}
        self._leader = ""
        self._preferred = ""
        self._pump_due = False
        self._tick_due = False
        self._closed = False

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect to the first server that answers.  Raises Unreachable when none does in time."""
        self._loop = asyncio.get_running_loop()
        self._context: zmq.SyncContext = zmq.Context()
        self._up = asyncio.Event()
        self._look_around = asyncio.Event()
        for seed in self._seeds:
            self._open_link(seed)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise Unreachable(self._trouble()) from None
        self._discovery = self._loop.create_task(self._discover(), name="quorate client")

    async def close(self) -> None:
        """End every call that waits, and give the sockets back."""
        if self._closed or not hasattr(self, "_context"):
            return
        self._closed = True
        discovery = getattr(self, "_discovery", None)
        if discovery is not None:
            discovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await discovery
        self._asks.end("the client was closed")
        for link in self._links.values():
            link.close()
        self._links.clear()
        self._context.term()

    # --- calls ------------------------------------------------------------------------------------------------------

    async def propose(self, command: bytes, *, timeout_s: float | None = None) -> bytes:
        """Have a command applied by the state machine of every server, and return its result.

        When this returns, the command is on disk on a majority.
        """
        if len(command) > COMMAND_BYTES_MAX:
            raise TooLarge(f"a command of {len(command)} bytes is over the limit of {COMMAND_BYTES_MAX}")
        result: bytes = await self._call(PROPOSE, command, timeout_s)
        return result

    async def read(self, query: bytes, *, consistency: str = "linearizable", timeout_s: float | None = None) -> bytes:
        """The state machine's answer to a query.

        "linearizable": no older than the moment of this call.  "stale": what one server has, at once.
        """
        result, _, _ = await self._call(READ, [query, consistency], timeout_s)
        return bytes(result)

    async def call(self, op: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float | None = None) -> Any:
        """An operator's request by its name, such as "raft.peers", and its JSON-like answer."""
        return await self._call(op, dict(arguments or {}), timeout_s)

    async def status(self) -> dict[str, Any]:
        """One server's view of itself and its cluster."""
        status: dict[str, Any] = await self.call("status")
        return status

    async def members(self) -> list[dict[str, Any]]:
        """The members as one server sees them."""
        rows: list[dict[str, Any]] = await self.call("members")
        return rows

    async def _call(self, op: str, body: Any, timeout_s: float | None) -> Any:
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        deadline = self._loop.time() + limit_s
        try:
            return await self._ask(op, body, deadline)
        except _AGAIN:
            self._look_elsewhere()
        # Only now: building a retry costs more than a whole call does.
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_AGAIN),
            wait=wait_random_exponential(multiplier=RETRY_FIRST_S, max=RETRY_MAX_S),
            stop=stop_after_delay(max(0.0, deadline - self._loop.time())),
            before_sleep=lambda _: self._look_elsewhere(),
            reraise=True,
        )
        return await retrying(self._ask_again, op, body, deadline)

    async def _ask_again(self, op: str, body: Any, deadline: float) -> Any:
        # tenacity awaits what a coroutine function returns, and hands on a future as it is.
        return await self._ask(op, body, deadline)

    def _ask(self, op: str, body: Any, deadline: float) -> asyncio.Future[Any]:
        if self._closed:
            raise Unreachable("the client is closed")
        promise = self._loop.create_future()
        self._asks.add(Ask(op, body, deadline, promise))
        self._pump_soon()
        if not self._tick_due:
            self._tick_due = True
            self._loop.call_later(TICK_S, self._tick)
        return promise

    # --- what the connections say -----------------------------------------------------------------------------------

    def _send(self, address: str, frame: bytes) -> bool:
        link = self._links.get(address)
        return link is not None and link.send(frame)

    def _on_answer(self, response: Response) -> None:
        self._asks.answered(response)
        self._pump_soon()

    def _on_change(self, link: ClientLink) -> None:
        if link.is_up:
            self._up.set()
        else:
            self._asks.lost(link.address, "the connection broke")
            if not any(other.is_up for other in self._links.values()):
                self._up.clear()
        self._look_around.set()
        self._pump_soon()

    def _pump_soon(self) -> None:
        if not self._pump_due and not self._closed:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        link = self._best()
        if link is not None and not self._closed:
            self._asks.flush(self._loop.time(), link.address)

    def _tick(self) -> None:
        self._tick_due = False
        if self._closed:
            return
        now = self._loop.time()
        if self._preferred in self._asks.expire(now, self._trouble()):
            # A server that stands still keeps its connections.
            self._look_elsewhere()
        since = self._asks.waits_since(self._preferred)
        if since is not None and now - since > STALL_S:
            self._look_around.set()
        self._pump_soon()
        if not self._asks.is_idle:
            self._tick_due = True
            self._loop.call_later(TICK_S, self._tick)

    def _trouble(self) -> str:
        troubles = [link.trouble for link in self._links.values() if not link.is_up]
        return "; ".join(troubles[:3]) or "no server took the request in time"

    # --- which server -----------------------------------------------------------------------------------------------

    def _best(self) -> ClientLink | None:
        """The leader if it is connected, else the server asked so far, else any."""
        for address in (self._leader, self._preferred, *self._links):
            link = self._links.get(address)
            if link is not None and link.is_up:
                self._preferred = address
                return link
        return None

    def _look_elsewhere(self) -> None:
        """The server asked so far had no leader, or too much to do."""
        others = [link.address for link in self._links.values() if link.is_up and link.address != self._preferred]
        self._leader = ""
        if others:
            position = sum(address < self._preferred for address in others) % len(others)
            self._preferred = sorted(others)[position]
        self._look_around.set()

    async def _discover(self) -> None:
        """Keep up with who is a member and who leads."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._look_around.wait()
            self._look_around.clear()
            # The server that is asked last: it may be the one in trouble, and not know.
            up = [link.address for link in self._links.values() if link.is_up]
            for address in sorted(up, key=lambda address: address == self._preferred):
                if await self._learn_from(address):
                    break
            await asyncio.sleep(REFRESH_PAUSE_S)

    async def _learn_from(self, address: str) -> bool:
        """Take over what one server knows; whether it knows a leader."""
        promise = self._loop.create_future()
        now = self._loop.time()
        if not self._asks.launch(now, address, [Ask("members", {}, now + REFRESH_TIMEOUT_S, promise)]):
            return False
        if not self._tick_due:
            self._tick_due = True
            self._loop.call_later(TICK_S, self._tick)
        try:
            rows = await promise
        except ClientError:
            return False
        return self._learn(rows)

    def _learn(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        live = [row for row in rows if row["status"] in _REACHABLE]
        known = {row["address"] for row in live} | {str(seed) for seed in self._seeds}
        for address in [address for address in self._links if address not in known]:
            self._close_link(address)
        for row in live:
            with contextlib.suppress(AddressError):
                self._open_link(parse_address(row["address"]))
        leaders = [str(row["address"]) for row in live if row["role"] == "leader"]
        if leaders:
            self._leader = leaders[0]
            self._pump_soon()
        return bool(leaders)

    def _open_link(self, address: Address) -> None:
        if str(address) not in self._links and len(self._links) < LINKS_MAX:
            self._links[str(address)] = ClientLink(
                self._context, address, self._key, self._loop, on_answer=self._on_answer, on_change=self._on_change
            )

    def _close_link(self, address: str) -> None:
        self._links.pop(address).close()
        self._asks.lost(address, "the server left the cluster")
