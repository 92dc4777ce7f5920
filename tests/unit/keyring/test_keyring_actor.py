"""The keys actors of a few servers, in virtual time: the disk before the word, the word before the sockets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self

import pytest

from actors.gossip.member import Member
from actors.gossip.messages import MemberChanged, MembersRequest, MembersView
from actors.keyring.held import HeldRing, proof_of
from actors.keyring.keyring import KeyringActor
from actors.keyring.messages import KeysList, KeysOffer, KeysReport, KeysRequest, KeysStep, UseRing
from actors.runtime.actor import Actor, Context, RemoteError, Sender, handles
from storage.keyring_file import KeyringWrite, KeyringWritten
from tests.unit.keyring.made import INSTALLED, NEW, OLD, OTHER, SETTLED_NEW, SETTLED_OLD, USING
from tests.unit.runtime.stage import Stage, linked
from tests.unit.runtime.virtual_time import story
from transport.keys import ClusterKey, client_only, to_text
from transport.ring import Ring, decode_ring, encode_ring
from transport.ring import Stage as RingStage

NAMES = ("a", "b", "c")


class Neighbours(Actor):
    """Persistence, gossip and the links of one server, as far as keys concern them."""

    def __init__(self, context: Context, server: Server) -> None:
        super().__init__(context)
        self._server = server

    @handles(KeyringWrite)
    def on_write(self, msg: KeyringWrite, sender: Sender) -> KeyringWritten:
        """Keep it, unless the disk is full."""
        if not self._server.disk_error:
            self._server.disk = decode_ring(msg.ring, "disk")
        return KeyringWritten(self._server.disk_error)

    @handles(MembersRequest)
    def on_members(self, msg: MembersRequest, sender: Sender) -> MembersView:
        """All servers of the play."""
        return MembersView([self._server.member(name) for name in NAMES], self._server.name)

    @handles(UseRing)
    def on_use_ring(self, msg: UseRing, sender: Sender) -> None:
        """The sockets go by it."""
        self._server.held.applied = self._server.held.ring


class Server:
    """One server: its ring, its disk and its stage."""

    def __init__(self, play: Play, name: str, ring: Ring | None) -> None:
        self.name = name
        self.play = play
        self.held = HeldRing(ring, ring)
        self.disk = ring
        self.disk_error = ""
        self.stage = Stage(address=f"{name}:1", server=name)

    def member(self, name: str) -> Member:
        """A server as gossip has it."""
        address = f"{self.play.moved.get(name, name)}:1"
        return Member(name, name, address, "failed" if name in self.play.off else "alive", {}, 1, 1)

    async def step(self, member: str, stage: str, key: ClusterKey, *, new: str = "", proof: str = "") -> dict[str, Any]:
        """What an operator's request for a step is answered with."""
        new = new or to_text(NEW)
        proof = proof or (proof_of(key, member, stage, new) if key.can_serve else "")
        answer = await self.stage.system.ref("keys").ask(KeysStep(member, stage, new, proof, 5.0), timeout_s=9.0)
        value: dict[str, Any] = answer.value
        return value

    async def offer(self, ring: bytes) -> KeysReport:
        """What another server's offer is answered with."""
        report: KeysReport = await self.stage.system.ref("keys").ask(KeysOffer(ring), timeout_s=9.0)
        return report


class Play:
    """Servers a, b and c."""

    def __init__(self, **rings: Ring | None) -> None:
        self.off: set[str] = set()
        self.moved: dict[str, str] = {}
        """Members whose address is another one's, as gossip has it."""
        self._rings = {name: rings.get(name, SETTLED_OLD) for name in NAMES}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.servers = {name: Server(self, name, ring) for name, ring in self._rings.items()}
        for server in self.servers.values():
            await self._open.enter_async_context(server.stage)
            await server.stage.play(*((name, partial(Neighbours, server=server)) for name in _NEIGHBOURS))
            await server.stage.play(("keys", partial(KeyringActor, held=server.held, server_id=server.name)))
        self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def connect(self) -> None:
        """Link all servers that are not off."""
        linked({f"{name}:1": self.servers[name].stage for name in NAMES if name not in self.off})

    @property
    def rings(self) -> list[Ring | None]:
        """What they hold."""
        return [self.servers[name].held.ring for name in NAMES]


_NEIGHBOURS = ("persistence", "gossip", "links")


@story
async def test_a_step_is_on_the_disk_before_it_is_said_and_said_before_it_is_applied() -> None:
    """The answer leaves by the connections that applying the ring will cut."""
    async with Play() as play:
        for member in NAMES:
            assert (await play.servers["a"].step(member, "installed", OLD))["holds"] == [
                OLD.fingerprint,
                NEW.fingerprint,
            ]
            server = play.servers[member]
            assert server.disk == server.held.ring == INSTALLED
            assert server.held.applied == SETTLED_OLD
            await asyncio.sleep(1)
            assert server.held.applied == INSTALLED


@story
async def test_a_ring_that_is_not_on_the_disk_is_not_gone_along_with() -> None:
    """A full disk: the member says so, and is as before."""
    async with Play() as play:
        play.servers["b"].disk_error = "keyring cannot be written (No space left on device)"
        answer = await play.servers["a"].step("b", "installed", OLD)
        assert answer == {"ok": False, "reason": "keyring cannot be written (No space left on device)"}
        assert play.rings == [SETTLED_OLD] * 3


@story
async def test_only_a_holder_of_the_server_key_changes_keys() -> None:
    """No proof, a client's, another cluster's, or one that was given for another step: refused, nothing changes."""
    async with Play() as play:
        entry = play.servers["a"]
        stolen = proof_of(OLD, "a", "installed", to_text(NEW))
        for proof in ("", "0" * 64, "é" * 64, proof_of(OTHER, "b", "installed", to_text(NEW)), stolen):
            answer = await entry.step("b", "installed", OLD, proof=proof or "-")
            assert "only a holder of the cluster key" in answer["reason"]
        assert play.rings == [SETTLED_OLD] * 3


@story
async def test_what_is_no_step() -> None:
    """A broken file, a client's file, an unknown stage and an unknown member have one line each."""
    async with Play() as play:
        entry = play.servers["a"]
        for arguments, why in (
            ({"new": "[server]"}, "is not a key file"),
            ({"new": client_only(NEW)}, "a client's file"),
            ({"stage": "finished"}, "no stage 'finished'"),
            ({"member": "z"}, "no member has the id 'z'"),
        ):
            answer = await entry.step(**{"member": "b", "stage": "installed", "key": OLD} | arguments)  # type: ignore[arg-type]
            assert why in answer["reason"]
        assert play.rings == [SETTLED_OLD] * 3


@story
async def test_an_offer_that_does_not_fit_is_refused() -> None:
    """Another rotation, garbage, and a server without keys: an error for the asker, no crash, no secret in it."""
    async with Play(a=INSTALLED, c=None) as play:
        third = encode_ring(SETTLED_OLD.at(OTHER, RingStage.INSTALLED))
        for name, ring, why in (
            ("a", third, "finish one rotation first"),
            ("b", b"\xff", "is not a keyring"),
            ("c", encode_ring(USING), "runs without a key"),
        ):
            with pytest.raises(RemoteError, match=why):
                await play.servers[name].offer(ring)
        assert play.rings == [INSTALLED, SETTLED_OLD, None]
        assert all(server.stage.row("keys")["restarts"] == 0 for server in play.servers.values())


@story
async def test_offers_at_the_same_time_do_not_overtake_each_other() -> None:
    """Whatever order they are judged in, the ring on the disk is the one in memory, and the furthest."""
    async with Play() as play:
        server = play.servers["a"]
        await asyncio.gather(*(server.offer(encode_ring(ring)) for ring in (USING, INSTALLED, SETTLED_NEW, USING)))
        assert server.disk == server.held.ring == SETTLED_NEW


@story
async def test_a_member_that_comes_back_is_given_what_it_missed() -> None:
    """By whoever sees it come back, as soon as it answers."""
    async with Play(a=USING, b=USING) as play:
        play.off.add("c")
        play.connect()
        for name in ("a", "b"):
            play.servers[name].stage.tell("keys", MemberChanged(play.servers[name].member("b"), "suspect"))
            play.off.clear()
            play.servers[name].stage.tell("keys", MemberChanged(play.servers[name].member("c"), "failed"))
            play.off.add("c")
        await asyncio.sleep(10)
        assert play.servers["c"].held.ring == SETTLED_OLD, "no link takes it yet"
        play.off.clear()
        play.connect()
        await asyncio.sleep(3)
        assert play.rings == [USING] * 3
        assert play.servers["c"].disk == USING


@story
async def test_a_member_that_missed_the_end_is_given_it() -> None:
    """It kept both keys: the old one is forgotten there, too."""
    async with Play(a=SETTLED_NEW, b=SETTLED_NEW, c=USING) as play:
        play.servers["a"].stage.tell("keys", MemberChanged(play.servers["a"].member("c"), "failed"))
        await asyncio.sleep(3)
        assert play.rings == [SETTLED_NEW] * 3


@story
async def test_the_list_says_who_does_not_say() -> None:
    """A failed member and one that does not answer have a reason, the others their keys."""
    async with Play(a=USING, b=USING) as play:
        play.off.add("c")
        answer = await play.servers["a"].stage.system.ref("keys").ask(KeysList(5.0), timeout_s=9.0)
        assert [(row["name"], row["uses"], row["stage"], row["error"]) for row in answer.value] == [
            ("a", NEW.fingerprint, "using", ""),
            ("b", NEW.fingerprint, "using", ""),
            ("c", "", "", "it is failed"),
        ]
        report = await play.servers["b"].stage.system.ref("keys").ask(KeysRequest(), timeout_s=9.0)
        assert report == KeysReport("using", [NEW.fingerprint, OLD.fingerprint], [], True)


@story
async def test_a_dead_member_that_had_the_address_of_this_server_is_not_asked() -> None:
    """It counts as alive for a while: whoever was started at its address has no answer for it, and asks not itself."""
    async with Play(a=USING, b=USING) as play:
        play.moved["c"] = "a"
        server = play.servers["a"]
        why = "it is gone: a:1 is this server's address now"
        answer = await server.stage.system.ref("keys").ask(KeysList(5.0), timeout_s=9.0)
        assert [row["error"] for row in answer.value] == ["", "", why]
        assert await server.step("c", "using", NEW) == {"ok": False, "reason": why}
        server.stage.tell("keys", MemberChanged(server.member("c"), "failed"))
        await asyncio.sleep(3)
        assert server.stage.row("keys")["restarts"] == 0
