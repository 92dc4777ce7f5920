"""Where the runtime's stories are played: a system in virtual time, its supervisors, and the messages of the plays."""

import asyncio
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from actors.runtime.actor import Actor, Context, Sender, handles
from actors.runtime.limits import SystemLimits
from actors.runtime.policy import RestartLimits, Strategy
from actors.runtime.supervisor import ChildSpec, Supervisor
from actors.runtime.system import RemoteSender, System
from tests.unit.runtime.virtual_time import VirtualLoop
from transport.stamp import Letter
from transport.wire import PROTOCOL_VERSION, Header, Origin, message

UNLIMITED = RestartLimits(intensity=1_000_000)


@message("play.note")
class Note(Struct, frozen=True):
    """Something to remember."""

    text: str


@message("play.urgent", urgent=True)
class Urgent(Struct, frozen=True):
    """Something to remember first."""

    text: str


@message("play.once", retry=False)
class Once(Struct, frozen=True):
    """Something whose handler is never run twice."""

    text: str


@message("play.question")
class Question(Struct, frozen=True):
    """Something to answer with an Answer."""

    text: str


@message("play.answer")
class Answer(Struct, frozen=True):
    """What a Question is answered with."""

    text: str


@message("play.unheard")
class Unheard(Struct, frozen=True):
    """A message nobody handles."""


class Stage:
    """One system, its supervisors, and what the actors did on it."""

    def __init__(self, *, limits: SystemLimits | None = None, address: str = "127.0.0.1:1", server: str = "s1") -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.system = System(
            server_id=lambda: server,
            address=lambda: address,
            rng=random.Random(1),
            clock=loop.time,
            wall_clock=loop.time,
            limits=limits or SystemLimits(kill_delay_s=0.0),
        )
        # A story that wants the watch to look says so itself: a thread looks whenever it likes.
        self.system.handler_watch.stop()
        self.log: list[str] = []
        """What the actors noted, in order."""
        self.escalations: list[str] = []
        self._supervisors: list[Supervisor] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for supervisor in reversed(self._supervisors):
            await supervisor.stop()
        self.system.close()

    async def play(
        self,
        *actors: tuple[str, Callable[[Context], Actor]],
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        limits: RestartLimits | None = None,
        stop_timeout_s: float = 5.0,
        start_timeout_s: float = 60.0,
        through: str = "",
    ) -> Supervisor:
        """Start these actors under a supervisor of their own; through: only those up to this one for now."""
        supervisor = Supervisor(
            self.system,
            f"supervisor{len(self._supervisors) + 1}",
            strategy=strategy,
            children=[ChildSpec(name, make, start_timeout_s, stop_timeout_s) for name, make in actors],
            on_escalate=self.escalations.append,
            limits=limits,
        )
        self._supervisors.append(supervisor)
        await supervisor.start(through=through)
        return supervisor

    async def settle(self, seconds: float = 10.0) -> None:
        """Let everything happen that happens within some (virtual) seconds."""
        await asyncio.sleep(seconds)

    def tell(self, actor: str, *messages: object) -> list[bool]:
        """Tell an actor several messages at once."""
        return [self.system.ref(actor).tell(message) for message in messages]

    async def ask(self, actor: str, text: str, timeout_s: float = 1.0) -> str:
        """Ask a Question and return the text of the Answer."""
        answer = await self.system.ref(actor).ask(Question(text), timeout_s=timeout_s)
        assert isinstance(answer, Answer)
        return answer.text

    def row(self, actor: str) -> dict[str, Any]:
        """What the system shows of an actor."""
        (row,) = [row for row in self.system.actors() if row["name"] == actor]
        return row

    def letters(self) -> list[tuple[str, str, str]]:
        """Dead letters as (kind, receiver, reason), latest first."""
        return [(x["kind"], x["to"], x["reason"]) for x in self.system.dead_letters()["letters"]]

    def cast(self, actor: type["Player"]) -> Callable[[Context], Actor]:
        """A factory of players that note into this stage's log."""
        return lambda context: actor(context, self)


class Player(Actor):
    """An actor that notes what happens to it; texts that begin with `crash` crash it."""

    def __init__(self, context: Context, stage: Stage) -> None:
        super().__init__(context)
        self.stage = stage

    async def on_start(self) -> None:
        """Note it."""
        self.note("start")

    async def on_stop(self) -> None:
        """Note it."""
        self.note("stop")

    def note(self, what: str) -> None:
        """Write `NAME@INCARNATION what` into the stage's log."""
        self.stage.log.append(f"{self.context.name}@{self.context.incarnation} {what}")

    @handles(Note, Urgent, Once)
    def on_note(self, msg: Note | Urgent | Once, sender: Sender) -> None:
        """Note it, then crash if it says so."""
        self.note(msg.text)
        if msg.text.startswith("crash"):
            raise ValueError(msg.text)

    @handles(Question)
    def on_question(self, msg: Question, sender: Sender) -> Any:
        """Answer in upper case."""
        self.note(msg.text)
        if msg.text.startswith("crash"):
            raise ValueError(msg.text)
        return Answer(msg.text.upper())


def linked(stages: dict[str, Stage]) -> None:
    """Connect stages by their addresses; what is sent arrives at once."""
    for address, stage in stages.items():
        stage.system.attach_links(Wires(address, stages))


class Wires(RemoteSender):
    """Links that cannot fail but to unknown addresses, where nobody listens."""

    def __init__(self, address: str, stages: dict[str, Stage]) -> None:

        self.replies: list[tuple[bytes, Letter]] = []
        self._address = address
        self._stages = stages

    def send(self, address: str, letter: Letter, *, urgent: bool) -> bool:
        """Deliver to the stage at that address."""
        stage = self._stages.get(address)
        if stage is None:
            return False
        header = Header(PROTOCOL_VERSION, letter.to, letter.kind, letter.actor, 1, letter.ask, None)
        origin = Origin(f"id of {self._address}", self._address)
        stage.system.deliver(header, origin, letter.body, None)
        return True

    def reply(self, routing_id: bytes, letter: Letter) -> bool:
        """Remember what a client would get."""
        self.replies.append((routing_id, letter))
        return True
