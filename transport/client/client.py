"""The client for asyncio programs: any server as the entry, the leader followed, many asks under way at once.

What lives here: which servers there are and which one is asked, and what is tried again.  What does not: single
connections (link.py), batches, deadlines and what is asked again (asks.py), and what commands mean: those
are bytes here (quorate.Client adds the key-value store).

Commands belong to a session of the client's, opened by the first of them.  So a command whose outcome is unknown, since
its leader died or a server kept quiet, is sent again under its number until its deadline, and applied once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import zmq

from transport.address import parse_address
from transport.client.asks import Asks
from transport.client.attested import AttestedReads
from transport.client.batches import COMMANDS, SESSION_COMMANDS, Ask, AskLimits, checked_body
from transport.client.errors import (
    ClientError,
    NoLeader,
    OutcomeUnknown,
    Overloaded,
    RequestFailed,
    TooLarge,
    Unreachable,
)
from transport.client.frames import of_cluster
from transport.client.link import ClientLink
from transport.client.pauses import REFRESH_PAUSE_S, REFRESH_S, REFRESH_TIMEOUT_S, STALL_S, checked_s, pause_s
from transport.client.protocol import LINEARIZABLE, STALE, Response
from transport.client.session import ClientSession
from transport.client.session_protocol import NONCE_BYTES, SESSION_ID_BYTES, SESSION_OPEN
from transport.client.stale import Stale
from transport.errors import AddressError
from transport.keys import ClusterKey, load
from transport.limits import COMMAND_BYTES_MAX
from transport.wire import CLIENT

if TYPE_CHECKING:
    from transport.address import Address

DEFAULT_ADDRESS: Final = "127.0.0.1:7946"
LINKS_MAX: Final = 16
TICK_S: Final = 0.05
_REACHABLE: Final = frozenset({"alive", "suspect", "leaving"})
_PASSING: Final = (NoLeader, Overloaded, Unreachable, OutcomeUnknown)
"""Why a session may come to be open later."""


class Client:
    """A client of one cluster, the first that answers.  Use it in an `async with`, which connects and closes it.

    addresses: one or more servers; the others are found through them.  key: the cluster's or a client's key file.
    timeout_s: how long a call may take, unless it says otherwise.  exactly_once: whether commands are sent in a
    session; without one, a command whose outcome is unknown is not sent again.  Every call raises a ClientError when
    it fails.
    """

    def __init__(
        self,
        *addresses: str,
        key: ClusterKey | str | Path | None = None,
        timeout_s: float = 5.0,
        exactly_once: bool = True,
        limits: AskLimits | None = None,
    ) -> None:
        for address in addresses:
            if not isinstance(address, str):
                raise TypeError(
                    f"an address is str, HOST:PORT, not {type(address).__name__}; several are arguments each"
                )
        self._seeds = [parse_address(address) for address in addresses or (DEFAULT_ADDRESS,)]
        self._key = load(key) if isinstance(key, str | Path) else key
        self._timeout_s = checked_s(timeout_s)
        self._lane = SESSION_COMMANDS if exactly_once else COMMANDS
        self._asks = Asks(limits or AskLimits(), self._send, pause_s)
        self._attested = AttestedReads(self._asks)
        self._links: dict[str, ClientLink] = {}
        self._leader = ""
        self._followers: list[str] = []
        """Addresses of the other voters."""
        self._preferred = ""
        self._pump_due = False
        self._tick_due = False
        self._opening = False
        self._held = False
        self.is_open = False
        """Whether it is connected, or trying to be: from the beginning of the `async with` to its end."""

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
        self.is_open = True
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
        if not self.is_open:
            return
        self.is_open = False
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

        When this returns, the command is on disk on a majority, and was applied once, however often it was sent.
        Raises OutcomeUnknown when the deadline passes without an answer, SessionExpired (which is one) when the cluster
        has forgotten the session while the command was tried again.
        """
        if len(command) > COMMAND_BYTES_MAX:
            raise TooLarge(f"a command of {len(command)} bytes is over the limit of {COMMAND_BYTES_MAX}")
        ask, promise = self._ask(self._lane, command, timeout_s)
        try:
            result: bytes = await promise
        finally:
            ask.finish()
        return result

    async def read(self, query: bytes, *, timeout_s: float | None = None) -> bytes:
        """The state machine's answer to a query, linearizable: no older than the moment of this call."""
        _, promise = self._ask(LINEARIZABLE, query, timeout_s)
        result: bytes = await promise
        return result

    async def read_stale(self, query: bytes, *, timeout_s: float | None = None) -> Stale[bytes]:
        """What one server has, at once and without a leader, with its age."""
        _, promise = self._ask(STALE, query, timeout_s)
        result: Stale[bytes] = await promise
        return result

    async def call(self, op: str, arguments: Any = None, *, timeout_s: float | None = None) -> Any:
        """An operator's request by its name, such as "raft.peers", and its JSON-like answer."""
        _, promise = self._ask(op, {} if arguments is None else arguments, timeout_s)
        return await promise

    async def status(self) -> dict[str, Any]:
        """One server's view of itself and its cluster."""
        status: dict[str, Any] = await self.call("status")
        return status

    async def members(self) -> list[dict[str, Any]]:
        """The members as one server sees them."""
        rows: list[dict[str, Any]] = await self.call("members")
        return rows

    def _ask(self, op: str, body: Any, timeout_s: float | None) -> tuple[Ask, asyncio.Future[Any]]:
        if not self.is_open:
            raise Unreachable("the client is not connected, or closed already: use it in an 'async with'")
        promise = self._loop.create_future()
        wait_s = self._timeout_s if timeout_s is None else checked_s(timeout_s)
        ask = Ask(op, checked_body(op, body), self._loop.time() + wait_s, promise)
        is_lone = self._asks.is_lone
        if not (is_lone and op == LINEARIZABLE and self._attests(ask)):
            self._asks.add(ask)
        if is_lone:
            self._pump()
        else:
            self._pump_soon()
        if not self._tick_due:
            self._tick_due = True
            self._loop.call_later(TICK_S, self._tick)
        return ask, promise

    def _attests(self, ask: Ask) -> bool:
        """Whether the leader and enough other voters to make a majority are asked at the same time."""
        up = [link.address for a in self._followers if (link := self._links.get(a)) is not None and link.is_up]
        wanted = (len(self._followers) + 1) // 2
        if not 0 < wanted <= len(up):
            return False
        return self._attested.begin(self._loop.time(), ask, self._leader, up[:wanted])

    # --- the session ------------------------------------------------------------------------------------------------

    def _open_session(self) -> None:
        self._opening = True
        # Random, so that a client of a cluster that was begun anew does not hit a session of somebody else's in it.
        _, promise = self._ask(SESSION_OPEN, os.urandom(NONCE_BYTES), None)
        promise.add_done_callback(self._opened)

    def _opened(self, promise: asyncio.Future[Any]) -> None:
        self._opening = False
        if promise.cancelled():
            return
        error = promise.exception()
        if error is None:
            session_id = promise.result()
            if isinstance(session_id, bytes) and len(session_id) == SESSION_ID_BYTES:
                self._asks.use_session(ClientSession(session_id))
            else:
                self._asks.no_session(RequestFailed("the server opened a session without giving its id"))
        elif isinstance(error, _PASSING):
            self._asks.session_trouble = error
        elif isinstance(error, ClientError):
            self._asks.no_session(error)
        self._pump_soon()

    # --- what the connections say -----------------------------------------------------------------------------------

    def _send(self, address: str, frame: bytes) -> bool:
        link = self._links.get(address)
        return link is not None and link.send(frame)

    def _on_answer(self, response: Response) -> None:
        refused_by = self._asks.answered(self._loop.time(), response)
        if refused_by and refused_by == self._preferred:
            self._look_elsewhere()
        if self._asks.has_queued:
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
        if not self._pump_due and self.is_open:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        if not self.is_open:
            return
        if not self._opening and self._asks.wants_session:
            self._open_session()
        now, link = self._loop.time(), self._best()
        held_s = self._asks.held_s(now)
        if held_s and not self._held:
            self._held = True
            self._loop.call_later(held_s, self._unhold)
        elif link is not None and not held_s:
            self._asks.flush(now, link.address)

    def _unhold(self) -> None:
        self._held = False
        self._pump_soon()

    def _tick(self) -> None:
        self._tick_due = False
        if not self.is_open:
            return
        now = self._loop.time()
        if self._preferred in self._asks.expire(now, self._trouble()):
            # A server that stands still keeps its connections.
            self._look_elsewhere()
        if any(map(self._is_stalled, self._links)):
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
            up = [link.address for link in self._links.values() if link.is_up]
            # One that stands still would be waited for, and while the others elect a leader they know none.
            lively = [address for address in up if not self._is_stalled(address)] or up
            # The server that is asked last: it may be the one in trouble, and not know.
            for address in sorted(lively, key=lambda address: address == self._preferred):
                if await self._learn_from(address):
                    break
            await asyncio.sleep(REFRESH_PAUSE_S)

    async def _learn_from(self, address: str) -> bool:
        """Take over what one server knows; whether it knows a leader."""
        try:
            if self._asks.origin is CLIENT:
                # The first cluster that answers is the client's: a server that is begun anew may be of another one.
                cluster_id = (await self._question(address, "status")).get("cluster_id")
                self._asks.origin = of_cluster(cluster_id) if cluster_id else CLIENT
            return self._learn(await self._question(address, "members"))
        except ClientError:
            return False

    async def _question(self, address: str, op: str) -> Any:
        """Ask this very server."""
        promise = self._loop.create_future()
        now = self._loop.time()
        if not self._asks.launch(now, address, [Ask(op, {}, now + REFRESH_TIMEOUT_S, promise)]):
            raise Unreachable(f"there is no connection to {address}")
        if not self._tick_due:
            self._tick_due = True
            self._loop.call_later(TICK_S, self._tick)
        return await promise

    def _learn(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        live = [row for row in rows if row["status"] in _REACHABLE]
        known = {row["address"] for row in live} | {str(seed) for seed in self._seeds}
        for address in [address for address in self._links if address not in known]:
            self._close_link(address)
        for row in live:
            with contextlib.suppress(AddressError):
                self._open_link(parse_address(row["address"]))
        leaders = [str(row["address"]) for row in live if row["role"] == "leader"]
        self._followers = [row["address"] for row in live if row["role"] == "follower"]
        if leaders:
            self._leader = leaders[0]
            self._leave_stalled()
            self._pump_soon()
        return bool(leaders)

    def _leave_stalled(self) -> None:
        """A server that does not lead and owes answers for long may have been stopped, or have lost them on the way."""
        for address in self._links:
            if address != self._leader and self._is_stalled(address):
                self._asks.take_back(address)

    def _is_stalled(self, address: str) -> bool:
        since = self._asks.waits_since(address)
        return since is not None and self._loop.time() - since > STALL_S

    def _open_link(self, address: Address) -> None:
        if str(address) not in self._links and len(self._links) < LINKS_MAX:
            self._links[str(address)] = ClientLink(
                self._context, address, self._key, self._loop, on_answer=self._on_answer, on_change=self._on_change
            )

    def _close_link(self, address: str) -> None:
        self._links.pop(address).close()
        self._asks.lost(address, "the server left the cluster")
