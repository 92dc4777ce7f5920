"""The keys actor: the ring of this server, what others make of it, and members that missed a stage of a rotation.

Who holds the key of the cluster can have it replaced while the cluster runs (`keys rotate`). The command drives the
rotation member by member (actors/keyring/rotation.py); any server is its entry and passes each step on. A step is a
ring (transport/ring.py), offered to the member's keys actor over the encrypted links between servers: the member takes
the further of that and its own, has it on the disk, says so, and only then lets its sockets go by it.

A member that was off, or was killed half-way, is offered the ring of whoever sees it come back. It gets in with
either key until `keys rotate --finish`: every server accepts both, and dials with the other key where the used one is
turned away (transport/links/dialer.py).

What lives here: who is told what, and when. What does not: which ring is further (transport/ring.py), the order of a
rotation (rotation.py), the file (storage/keyring_file.py), the sockets (transport/links/entrance.py).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from actors.gossip.messages import MemberChanged, MembersRequest, MembersView
from actors.keyring.held import HeldRing
from actors.keyring.messages import (
    Apply,
    KeysList,
    KeysOffer,
    KeysReport,
    KeysRequest,
    KeysStep,
    Tick,
    UseRing,
    report_of,
)
from actors.runtime.actor import Actor, AskError, Context, Ref, RemoteError, Sender, handles
from storage.keyring_file import KeyringWrite, KeyringWritten
from transport.errors import QuorateError
from transport.keys import parse
from transport.ring import Ring, Stage, decode_ring, encode_ring
from transport.wire import ErrorReply, Json

APPLY_AFTER_S: Final = 0.05
"""Connections are cut when a ring is applied: the answers that say it is on the disk leave before."""

TICK_S: Final = 1.0
LOOKS_MAX: Final = 60
"""How often a member that does not answer is asked before it is given up until it comes back again."""

ASK_TIMEOUT_S: Final = 2.0
DISK_TIMEOUT_S: Final = 5.0
SHARE: Final = 0.8
"""The part of an operator's time that a question to another server may take."""

_LIVE: Final = frozenset({"alive", "suspect"})

_log = logging.getLogger("quorate.keys")


class RefusedError(QuorateError):
    """This server does not go along with what it was asked for; the text says why."""


class KeyringActor(Actor):
    """Keeps the ring."""

    def __init__(self, context: Context, *, held: HeldRing, server_id: str) -> None:
        super().__init__(context)
        self._held = held
        self._server_id = server_id
        self._looks: dict[str, tuple[str, int]] = {}  # members to look at: id to address and looks so far
        self._lock = asyncio.Lock()
        self._is_ticking = False

    async def on_start(self) -> None:
        """An incarnation before this one may have died between the disk and the sockets."""
        if self._held.ring != self._held.applied:
            self.context.after(APPLY_AFTER_S, Apply())

    # --- what other servers say ---------------------------------------------------------------------------------------

    @handles(KeysRequest)
    def on_request(self, msg: KeysRequest, sender: Sender) -> KeysReport:
        """Say which keys this server has."""
        return self._report()

    @handles(KeysOffer)
    async def on_offer(self, msg: KeysOffer, sender: Sender) -> KeysReport | ErrorReply:
        """Go along with another server's ring, if that leads on from this one's."""
        # One at a time: two offers must not both be judged by the ring before the first.
        async with self._lock:
            try:
                await self._join(decode_ring(msg.ring, "what was offered"))
            except QuorateError as error:
                return ErrorReply("Refused", str(error))
        return self._report()

    async def _join(self, offered: Ring) -> None:
        if self._held.ring is None:
            raise RefusedError("this server runs without a key: start it with --key FILE")
        joined = self._held.ring.joined(offered)
        if joined == self._held.ring:
            return
        try:
            written: KeyringWritten = await self.context.ref("persistence").ask(
                KeyringWrite(encode_ring(joined)), timeout_s=DISK_TIMEOUT_S
            )
        except AskError as error:
            raise RefusedError(f"it is unknown whether the ring is on the disk: {error}") from error
        if written.error:
            raise RefusedError(written.error)
        self._held.ring = joined
        _log.info("this server is %s now (%s)", joined, joined.stage)
        self.context.after(APPLY_AFTER_S, Apply())

    @handles(Apply)
    def on_apply(self, msg: Apply, sender: Sender) -> None:
        """Let the sockets go by the ring."""
        self.context.ref("links").tell(UseRing())

    def _report(self) -> KeysReport:
        return report_of(self._held.ring, applied=self._held.ring == self._held.applied)

    # --- members that missed something --------------------------------------------------------------------------------

    @handles(MemberChanged)
    def on_member_changed(self, msg: MemberChanged, sender: Sender) -> None:
        """Whoever comes back may have missed a stage."""
        member = msg.member
        self._looks.pop(member.id, None)
        if member.id != self._server_id and member.status == "alive" and self._has_news():
            self._looks[member.id] = (member.address, 0)
            self._tick_soon()

    def _has_news(self) -> bool:
        ring = self._held.ring
        return ring is not None and (ring.stage is not Stage.SETTLED or bool(ring.retired))

    def _tick_soon(self) -> None:
        if self._looks and not self._is_ticking:
            self._is_ticking = True
            self.context.after(TICK_S, Tick())

    @handles(Tick)
    async def on_tick(self, msg: Tick, sender: Sender) -> None:
        """Look at each of them, and offer what it has not."""
        looks = dict(self._looks)
        done = await asyncio.gather(*(self._catch_up(address) for address, _ in looks.values()))
        for (member, (address, count)), is_done in zip(looks.items(), done, strict=True):
            if self._looks.get(member) != (address, count):
                continue
            if is_done or count + 1 >= LOOKS_MAX:
                del self._looks[member]
            else:
                self._looks[member] = (address, count + 1)
        self._is_ticking = False
        self._tick_soon()

    async def _catch_up(self, address: str) -> bool:
        """Whether the server at `address` has what this one has, or is not to have it."""
        ring = self._held.ring
        assert ring is not None, "a server without keys has no news of any"
        try:
            other = self._keys_at(address)
            report: KeysReport = await other.ask(KeysRequest(), timeout_s=ASK_TIMEOUT_S)
            if (report.stage, report.holds) != (ring.stage.value, [key.fingerprint for key in ring.accepted]):
                await other.ask(KeysOffer(encode_ring(ring)), timeout_s=ASK_TIMEOUT_S)
        except RemoteError as error:
            _log.warning("%s does not go along with the keys of this server: %s", address, error.text)
        except AskError:
            return False
        return True

    # --- what operators ask -------------------------------------------------------------------------------------------

    @handles(KeysList)
    async def on_list(self, msg: KeysList, sender: Sender) -> Json:
        """One row a member: what it holds and uses, or why that is not known."""
        view: MembersView = await self.context.ref("gossip").ask(MembersRequest(), timeout_s=ASK_TIMEOUT_S)
        members = sorted((one for one in view.members if one.status != "left"), key=lambda one: (one.name, one.id))
        timeout_s = msg.timeout_s * SHARE

        async def row(member: Any) -> dict[str, Any]:
            known = {"name": member.name, "id": member.id, "address": member.address, "status": str(member.status)}
            try:
                return {**known, **self._row(await self._report_of(member, timeout_s)), "error": ""}
            except AskError as error:
                return {**known, **self._row(KeysReport()), "error": str(error)}

        return Json(await asyncio.gather(*map(row, members)))

    async def _report_of(self, member: Any, timeout_s: float) -> KeysReport:
        if member.id == self._server_id:
            return self._report()
        if member.status not in _LIVE:
            raise AskError(f"it is {member.status}")
        report: KeysReport = await self._keys_at(member.address).ask(KeysRequest(), timeout_s=timeout_s)
        return report

    def _keys_at(self, address: str) -> Ref:
        """The keys actor of another member.  Raises AskError for an address that this server has itself.

        A dead server counts as alive for a while, and this one may have been started at its address meanwhile.
        """
        other = self.context.ref(self.context.name, address)
        if other.address is None:
            raise AskError(f"it is gone: {address} is this server's address now")
        return other

    def _row(self, report: KeysReport) -> dict[str, Any]:
        return {
            "holds": report.holds,
            "uses": report.holds[0] if report.holds else "",
            "stage": report.stage,
            "applied": report.applied,
        }

    @handles(KeysStep)
    async def on_step(self, msg: KeysStep, sender: Sender) -> Json:
        """Have one member go one stage further."""
        try:
            report = await self._step(msg)
        except (QuorateError, RemoteError) as error:
            return Json({"ok": False, "reason": error.text if isinstance(error, RemoteError) else str(error)})
        return Json(self._row(report))

    async def _step(self, msg: KeysStep) -> KeysReport:
        ring = self._held.ring
        if ring is None:
            raise RefusedError("this cluster runs without a key: start its servers with --key FILE")
        if not self._held.is_proven(msg.proof, msg.member, msg.stage, msg.new):
            raise RefusedError("only a holder of the cluster key may rotate it: give its file with --key")
        if msg.stage not in set(Stage):
            raise RefusedError(f"there is no stage {msg.stage[:40]!r} of a rotation")
        offer = KeysOffer(encode_ring(ring.at(parse(msg.new.encode(), "the new key"), Stage(msg.stage))))
        timeout_s = msg.timeout_s * SHARE
        if msg.member == self._server_id:
            async with self._lock:
                await self._join(decode_ring(offer.ring, "the new key"))
            return self._report()
        view: MembersView = await self.context.ref("gossip").ask(MembersRequest(), timeout_s=ASK_TIMEOUT_S)
        for member in view.members:
            if member.id == msg.member:
                try:
                    other = self._keys_at(member.address)
                except AskError as error:
                    raise RefusedError(str(error)) from error
                report: KeysReport = await other.ask(offer, timeout_s=timeout_s)
                return report
        raise RefusedError(f"no member has the id {msg.member[:40]!r}; `members` lists them")
