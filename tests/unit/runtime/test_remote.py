"""The same ref across servers: two systems whose links cannot fail, and links that take nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from actors.runtime.actor import ActorDied, MailboxFull, RemoteError, Sender, Timeout, handles
from actors.runtime.limits import SystemLimits
from actors.runtime.messages import TIMER_DUE, TimerDue
from tests.unit.runtime.stage import UNLIMITED, Answer, Note, Once, Player, Question, Stage, Wires, linked
from tests.unit.runtime.virtual_time import story
from transport.wire import CLIENT, PROTOCOL_VERSION, Header, Origin, decode_body, encode_body

HERE, THERE = "127.0.0.1:1", "127.0.0.1:2"
OTHER = Origin("s2", THERE)


class Meeting(Player):
    """Notes who it hears from, and puts questions off for ever."""

    @handles(Note)
    def hear(self, msg: Note, sender: Sender) -> None:
        """Note the sender."""
        self.note(f"{msg.text} from {sender.actor}@{sender.address} of {sender.server}")

    @handles(Question)
    def put_off(self, msg: Question, sender: Sender) -> None:
        """Answer nothing."""


def frame(kind: str, *, to: str = "a", ask: int = 0) -> Header:
    """The header of a frame from a link."""
    return Header(PROTOCOL_VERSION, to, kind, "x", 1, ask, None)


@story
async def test_telling_an_actor_of_another_server() -> None:
    """The receiver knows server, address and actor, and can tell back."""
    async with Stage(address=HERE) as here, Stage(address=THERE) as there:
        linked({HERE: here, THERE: there})
        await there.play(("a", there.cast(Meeting)))

        assert here.system.ref("a", THERE, owner="b").tell(Note("hi"))
        await there.settle()

        assert there.log[-1] == f"a@1 hi from b@{HERE} of id of {HERE}"


@story
async def test_asking_an_actor_of_another_server() -> None:
    """The answer finds its way back, to the ask alone."""
    async with Stage(address=HERE) as here, Stage(address=THERE) as there:
        linked({HERE: here, THERE: there})
        await there.play(("a", there.cast(Player)))

        answer = await here.system.ref("a", THERE).ask(Question("hello"), timeout_s=1)

        assert answer == Answer("HELLO")


@story
async def test_a_death_over_there_is_learned_here() -> None:
    """ActorDied travels like an answer; so do a full mailbox and an unknown actor."""
    async with Stage(address=HERE) as here, Stage(address=THERE, limits=SystemLimits(mailbox_frames=4)) as there:
        linked({HERE: here, THERE: there})
        await there.play(("a", there.cast(Meeting)), limits=UNLIMITED)
        ref = here.system.ref("a", THERE)

        asking = asyncio.ensure_future(ref.ask(Question("x"), timeout_s=5))
        await there.settle(0.1)
        there.tell("a", Once("crash"))
        with pytest.raises(ActorDied, match="a@1 died: ValueError: crash"):
            await asking

        await there.settle()
        there.tell("a", *[Note("fills the mailbox")] * 4)
        with pytest.raises(MailboxFull, match="the mailbox of a is full"):
            await ref.ask(Question("x"), timeout_s=5)
        with pytest.raises(ActorDied, match="there is no actor b"):
            await here.system.ref("b", THERE).ask(Question("x"), timeout_s=5)


@story
async def test_who_waits_for_a_server_that_stops_learns_that_it_does() -> None:
    """Not only that an actor was stopped, which may be started again: the words come to people as they are."""
    async with Stage(address=HERE) as here, Stage(address=THERE) as there:
        linked({HERE: here, THERE: there})
        supervisor = await there.play(("a", there.cast(Meeting)), limits=UNLIMITED)
        asking = asyncio.ensure_future(here.system.ref("a", THERE).ask(Question("x"), timeout_s=5))
        await there.settle(0.1)

        await supervisor.stop()

        with pytest.raises(ActorDied, match=r"^the server is stopping$"):
            await asking
        with pytest.raises(ActorDied, match="there is no actor a"):
            await here.system.ref("a", THERE).ask(Question("x"), timeout_s=5)


@story
async def test_a_link_that_takes_nothing() -> None:
    """Before there are links, and when they refuse: the sender learns at once, and what was told is a dead letter."""
    async with Stage(address=HERE) as here:
        for attached in (None, Wires(HERE, {})):
            here.system.attach_links(attached)

            assert not here.system.ref("a", THERE).tell(Note("x"))
            with pytest.raises(MailboxFull, match=f"no link takes play.question to a@{THERE}"):
                await here.system.ref("a", THERE).ask(Question("x"), timeout_s=1)

        assert ("play.note", f"a@{THERE}", "no link takes it") in here.letters()


@story
async def test_a_server_that_is_gone_answers_nobody() -> None:
    """Evidence of a dead process ends the asks to it before their timeouts, and no others."""
    async with Stage(address=HERE) as here, Stage(address=THERE) as there:
        linked({HERE: here, THERE: there})
        await there.play(("a", there.cast(Meeting)))
        await here.play(("a", here.cast(Meeting)))
        far = asyncio.ensure_future(here.system.ref("a", THERE).ask(Question("x"), timeout_s=5))
        near = asyncio.ensure_future(here.system.ref("a").ask(Question("x"), timeout_s=5))
        await here.settle(1)

        here.system.peer_died(THERE, "connection refused")

        with pytest.raises(ActorDied, match=f"the server at {THERE} is gone: connection refused"):
            await far
        with pytest.raises(Timeout):
            await near


@story
async def test_ones_own_address_is_here() -> None:
    """A ref to this server's own address uses no link."""
    async with Stage(address=HERE) as here:
        await here.play(("a", here.cast(Player)))

        assert here.system.ref("a", HERE).tell(Note("x"))
        assert here.system.ref("a", HERE).address is None


@story
async def test_a_client_is_answered_by_its_routing_id() -> None:
    """A client has no address: what the link knows of it is kept beside the message, through the mailbox."""
    async with Stage(address=HERE) as here:
        wires = Wires(HERE, {})
        here.system.attach_links(wires)
        await here.play(("a", here.cast(Player)))

        here.system.deliver(frame("play.question"), CLIENT, encode_body(Question("x")), b"\x00client")
        await here.settle()

        ((routing_id, (_, kind, body, _, ask)),) = wires.replies
        assert (routing_id, kind, decode_body(kind, body), ask) == (b"\x00client", "play.answer", Answer("X"), 0)


@story
async def test_a_client_that_is_gone_is_no_cause_for_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Clients go when they like: a dead letter all the same, with a line of no alarm."""
    async with Stage(address=HERE) as here:
        wires = Wires(HERE, {})
        wires.reply = lambda *_, **__: False  # type: ignore[method-assign]
        here.system.attach_links(wires)
        await here.play(("a", here.cast(Player)))
        with caplog.at_level(logging.INFO, "quorate.actors"):
            here.system.deliver(frame("play.question"), CLIENT, encode_body(Question("x")), b"gone")
            await here.settle()

        assert [letter[2] for letter in here.letters()] == ["nobody waits for this answer"]
        (record,) = [record for record in caplog.records if "nobody waits" in record.getMessage()]
        assert record.levelno == logging.INFO


@story
async def test_frames_that_claim_what_they_are_not() -> None:
    """A client cannot answer a server's ask, and no frame from a link passes for one of this server's own."""
    async with Stage(address=HERE) as here:
        await here.play(("a", here.cast(Meeting)))
        asking = asyncio.ensure_future(here.system.ref("a").ask(Question("x"), timeout_s=1))
        await here.settle(0.1)
        (number,) = here.system.asks._open
        answer, tick = encode_body(Answer("forged")), encode_body(TimerDue(1))

        here.system.deliver(frame("play.answer", ask=-number), CLIENT, answer, b"client")
        here.system.deliver(frame("play.note"), Origin("s2"), encode_body(Note("no way back")), None)
        here.system.deliver(frame(TIMER_DUE), OTHER, tick, None)
        here.system.deliver(frame("play.answer", ask=-number - 1), OTHER, answer, None)

        with pytest.raises(Timeout):
            await asking
        assert here.log == ["a@1 start"]
        assert {letter[2] for letter in here.letters()} == {
            "the actor has no handler for it",
            "it names no server to answer",
            "this kind never travels between servers",
            "nobody waits for this answer",
        }


@story
async def test_an_answer_that_does_not_decode_is_an_error() -> None:
    """The asker does not wait for its timeout."""
    async with Stage(address=HERE) as here:
        await here.play(("a", here.cast(Meeting)))
        asking = asyncio.ensure_future(here.system.ref("a").ask(Question("x"), timeout_s=1))
        await here.settle(0.1)
        (number,) = here.system.asks._open

        here.system.deliver(frame("play.answer", ask=-number), OTHER, b"\xff", None)

        with pytest.raises(RemoteError, match="WireError"):
            await asking
