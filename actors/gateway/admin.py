"""Operators' requests: what is asked about a server, and told to it, beside its data.

What lives here: one method an operation, which asks the actor that knows and hands its answer on, and the one hop to
the leader for operations that only a leader can carry out.  What does not: the shape of the longer answers
(reports.py), and proposals and queries (core.py).  These requests are rare, so each is a coroutine and asks.

An operation never raises: whatever goes wrong is a response with a code and a line of text.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from actors.events.messages import EventsStatusRequest
from actors.gateway.arguments import (
    Arguments,
    CrashArguments,
    CutArguments,
    ForceLeaveArguments,
    JoinArguments,
    KillArguments,
    MembersArguments,
    MonitorArguments,
    NameArguments,
    RttArguments,
    StepArguments,
    TagsArguments,
)
from actors.gateway.event_operations import EventOperations
from actors.gateway.info import info_report
from actors.gateway.messages import AdminForward
from actors.gateway.metric_operations import MetricOperations
from actors.gateway.reports import (
    force_leave_report,
    health_report,
    member_rows,
    peer_rows,
    requests_report,
    status_report,
    version_report,
    why_report,
)
from actors.gossip.messages import (
    ChangeTags,
    ForceLeave,
    GossipStatusRequest,
    JoinPeers,
    MembersRequest,
    RttRequest,
    RttsRequest,
)
from actors.keyring.messages import KeysList, KeysStep
from actors.leaving import LeaveError
from actors.raft.messages import RaftStatusRequest, TakeSnapshot, TransferLeadership
from actors.reconciler.messages import ReconcilerStatusRequest, RemoveServer
from actors.runtime.asks import AskError, MailboxFull, RemoteError, Timeout
from transport.client.protocol import Code, Response, encode_payload
from transport.errors import QuorateError

if TYPE_CHECKING:
    from actors.gateway.control import Control, Faults
    from actors.gateway.core import GatewayCore
    from actors.gateway.leaderless import Leaderless
    from actors.gateway.metrics import Samples
    from actors.gossip.messages import MembersView
    from actors.runtime.actor import Context

LOOK_TIMEOUT_S: Final = 1.0
"""How long a question to an actor of this server may take; longer and the actor is as good as gone."""

HOP_MARGIN_S: Final = 0.2
"""What a hop to the leader leaves of the time, so that the leader's own answer is the one the client hears."""

LEADER_ONLY: Final = frozenset({"raft.transfer", "raft.remove"})
LEADER_BEST: Final = frozenset({"raft.peers"})
"""Operations any server can answer, and the leader better: only it knows how far the others are."""
log = logging.getLogger("quorate.gateway")


class OperationError(Exception):
    """An operation comes to nothing: the code, and a line that says why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


Operation = Callable[[Any, float], Awaitable[Any]]


class Admin:
    """The operations of one gateway, whose data requests are with `core`; own: what the gateway has counted."""

    def __init__(
        self,
        context: Context,
        control: Control,
        core: GatewayCore,
        leaderless: Leaderless,
        own: Callable[[], Samples],
    ) -> None:
        self._context = context
        self._control = control
        self._core = core
        self._leaderless = leaderless
        self._operations: dict[str, tuple[type[Arguments], Operation]] = {
            "status": (Arguments, self._status),
            "info": (Arguments, self._info),
            "health": (Arguments, self._health),
            "members": (MembersArguments, self._members),
            "rtt": (RttArguments, self._rtt),
            "tags": (TagsArguments, self._tags),
            "monitor": (MonitorArguments, self._monitor),
            "join": (JoinArguments, self._join),
            "leave": (Arguments, self._leave),
            "force_leave": (ForceLeaveArguments, self._force_leave),
            "raft.peers": (Arguments, self._raft_peers),
            "raft.transfer": (NameArguments, self._raft_transfer),
            "raft.remove": (NameArguments, self._raft_remove),
            "raft.snapshot": (Arguments, self._raft_snapshot),
            "actors.list": (Arguments, self._actors_list),
            "actors.tree": (Arguments, self._actors_tree),
            "actors.kill": (KillArguments, self._actors_kill),
            "actors.mailboxes": (Arguments, self._actors_mailboxes),
            "actors.dead_letters": (Arguments, self._actors_dead_letters),
            "requests": (Arguments, self._requests),
            "links": (Arguments, self._links),
            "keys.list": (Arguments, self._keys_list),
            "keys.step": (StepArguments, self._keys_step),
            "version": (Arguments, self._version),
            **EventOperations(self._ask).operations,
            **MetricOperations(context, control, own).operations,
            "fault.cut": (CutArguments, self._fault_cut),
            "fault.heal": (Arguments, self._fault_heal),
            "fault.crash": (CrashArguments, self._fault_crash),
        }

    async def answer(self, request: AdminForward, *, hop: bool) -> Response:
        """Carry out one operation; `hop` allows handing it to the leader's gateway.  The response's id is 0."""
        op = request.op
        timeout_s = max(request.timeout_ms, 1) / 1000
        try:
            known = self._operations.get(op)
            if known is None:
                raise OperationError(Code.BAD_REQUEST, f"this server does not know the operation {op!r}")
            arguments = msgspec.msgpack.decode(request.payload, type=known[0])
            if hop and op in LEADER_ONLY | LEADER_BEST:
                answer = await self._ask_leader(request, timeout_s)
                if answer is not None:
                    return answer
            if op in LEADER_ONLY and not self._core.leader.is_me:
                why = await self._leaderless.why()
                raise OperationError(Code.NO_LEADER, f"{op} needs the leader, and this server knows none: {why}")
            return Response(0, Code.OK, encode_payload(await known[1](arguments, timeout_s)))
        except OperationError as error:
            return Response(0, error.code, b"", str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Response(0, Code.BAD_REQUEST, b"", f"the arguments of {op} are not understood: {error}")
        except AskError as error:
            return Response(0, _code_of(error), b"", error.text if isinstance(error, RemoteError) else str(error))
        except LeaveError as error:
            return Response(0, Code.NO_LEADER, b"", str(error))
        except QuorateError as error:
            return Response(0, Code.REFUSED, b"", str(error))
        except Exception as error:
            # A question of an operator must not end the data's requests with the gateway, let alone the server.
            log.exception("the operation %s failed", op)
            return Response(0, Code.FAILED, b"", f"{op} failed in the server: {type(error).__name__}: {error}")

    async def _ask_leader(self, request: AdminForward, timeout_s: float) -> Response | None:
        """The leader's answer; None when this server has to do without."""
        leader = self._core.leader
        if leader.is_me or not leader.leader:
            return None
        gateway = self._context.ref(self._context.name, leader.address)
        try:
            answer: Response = await gateway.ask(request, timeout_s=max(timeout_s - HOP_MARGIN_S, timeout_s / 2))
        except AskError:
            if request.op in LEADER_ONLY:
                raise
            return None
        return None if answer.code != Code.OK and request.op in LEADER_BEST else answer

    # --- what actors say --------------------------------------------------------------------------------------------

    async def _raft(self) -> dict[str, Any]:
        answer = await self._context.ref("raft").ask(RaftStatusRequest(), timeout_s=LOOK_TIMEOUT_S)
        value: dict[str, Any] = answer.value
        return value

    async def _gossip(self, why: str = "") -> MembersView:
        view: MembersView = await self._context.ref("gossip").ask(MembersRequest(why), timeout_s=LOOK_TIMEOUT_S)
        return view

    async def _ask(self, actor: str, message: object, timeout_s: float) -> Any:
        """The JSON that an actor answers.  Raises OperationError when it says {"ok": false, "reason": …}."""
        value = (await self._context.ref(actor).ask(message, timeout_s=timeout_s)).value
        if isinstance(value, dict) and value.get("ok") is False:
            raise OperationError(Code.REFUSED, str(value.get("reason") or "it was refused"))
        return value

    # --- operations -------------------------------------------------------------------------------------------------

    async def _status(self, _arguments: Arguments, _timeout_s: float) -> Any:
        gossip = await self._ask("gossip", GossipStatusRequest(), LOOK_TIMEOUT_S)
        return status_report(self._control, await self._raft(), await self._gossip(), gossip)

    async def _info(self, _arguments: Arguments, _timeout_s: float) -> Any:
        gossip = await self._ask("gossip", GossipStatusRequest(), LOOK_TIMEOUT_S)
        handlers = await _or_none(self._ask("events", EventsStatusRequest(), LOOK_TIMEOUT_S))
        return info_report(self._control, await self._raft(), gossip, await self._gossip(), handlers or {})

    async def _health(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return health_report(self._control, await _or_none(self._raft()), await _or_none(self._gossip()))

    async def _members(self, arguments: MembersArguments, _timeout_s: float) -> Any:
        view = await self._gossip(arguments.why)
        rtts = await _or_none(self._ask("gossip", RttsRequest(), LOOK_TIMEOUT_S))
        rows = member_rows(view, await _or_none(self._raft()), rtts or {})
        if not arguments.why:
            return rows
        report = why_report(view, rows)
        if report is None:
            raise OperationError(Code.NOT_FOUND, f"no member is called {arguments.why!r}; 'members' lists them")
        return report

    async def _rtt(self, arguments: RttArguments, timeout_s: float) -> Any:
        answer = await self._ask("gossip", RttRequest(arguments.start, arguments.to), timeout_s)
        return {key: answer[key] for key in ("from", "to", "rtt_ms")}

    async def _tags(self, arguments: TagsArguments, timeout_s: float) -> Any:
        answer = await self._ask("gossip", ChangeTags(arguments.put, arguments.remove), timeout_s)
        return {key: answer[key] for key in ("name", "tags", "incarnation")}

    async def _monitor(self, arguments: MonitorArguments, timeout_s: float) -> Any:
        wait_s = max(0.0, min(arguments.wait_s, timeout_s))
        return (await self._control.logs.read(arguments.level, arguments.cursor, wait_s)).report()

    async def _join(self, arguments: JoinArguments, timeout_s: float) -> Any:
        return await self._ask("gossip", JoinPeers(arguments.peers), timeout_s)

    async def _leave(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return await self._control.leave()

    async def _force_leave(self, arguments: ForceLeaveArguments, timeout_s: float) -> Any:
        member = await self._ask("gossip", ForceLeave(arguments.name, arguments.prune), timeout_s)
        return force_leave_report(member, await _or_none(self._raft()))

    async def _raft_peers(self, _arguments: Arguments, _timeout_s: float) -> Any:
        raft = await self._raft()
        reasons = await _or_none(self._ask("reconciler", ReconcilerStatusRequest(), LOOK_TIMEOUT_S))
        view = await _or_none(self._gossip())
        return peer_rows(raft, reasons or {}, view.members if view else ())

    async def _raft_transfer(self, arguments: NameArguments, timeout_s: float) -> Any:
        return await self._ask("raft", TransferLeadership(arguments.name), timeout_s)

    async def _raft_remove(self, arguments: NameArguments, timeout_s: float) -> Any:
        return await self._ask("reconciler", RemoveServer(arguments.name), timeout_s)

    async def _raft_snapshot(self, _arguments: Arguments, timeout_s: float) -> Any:
        return await self._ask("raft", TakeSnapshot(), timeout_s)

    async def _actors_list(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return self._control.system.actors()

    async def _actors_tree(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return self._control.system.tree()

    async def _actors_mailboxes(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return self._control.system.mailboxes()

    async def _actors_dead_letters(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return self._control.system.dead_letters()

    async def _actors_kill(self, arguments: KillArguments, _timeout_s: float) -> Any:
        name, at, incarnation = arguments.target.rpartition("@")
        if not (name and at and incarnation.isdecimal()):
            raise OperationError(
                Code.BAD_REQUEST,
                f"{arguments.target!r} is no incarnation of an actor: write NAME@INCARNATION; 'actors list' shows both",
            )
        try:
            return {"result": self._control.system.kill(name, int(incarnation))}
        except (LookupError, ValueError) as error:
            raise OperationError(Code.REFUSED, str(error)) from None

    async def _requests(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return requests_report(self._core)

    async def _links(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return self._control.link_stats()

    async def _keys_list(self, _arguments: Arguments, timeout_s: float) -> Any:
        return await self._ask("keys", KeysList(timeout_s), timeout_s)

    async def _keys_step(self, step: StepArguments, timeout_s: float) -> Any:
        return await self._ask("keys", KeysStep(step.member, step.stage, step.new, step.proof, timeout_s), timeout_s)

    async def _version(self, _arguments: Arguments, _timeout_s: float) -> Any:
        return version_report()

    # --- faults on purpose ------------------------------------------------------------------------------------------

    def _faults(self) -> Faults:
        if self._control.faults is None:
            raise OperationError(
                Code.REFUSED, "this server makes no faults on request: only a local cluster or a test can ask"
            )
        return self._control.faults

    async def _fault_cut(self, arguments: CutArguments, _timeout_s: float) -> Any:
        self._faults().cut(arguments.address, inbound=arguments.inbound, outbound=arguments.outbound)
        return {"cut": arguments.address, "inbound": arguments.inbound, "outbound": arguments.outbound}

    async def _fault_heal(self, _arguments: Arguments, _timeout_s: float) -> Any:
        self._faults().heal()
        return {"healed": True}

    async def _fault_crash(self, arguments: CrashArguments, _timeout_s: float) -> Any:
        try:
            self._faults().crash(arguments.actor)
        except (LookupError, ValueError) as error:
            raise OperationError(Code.REFUSED, str(error)) from None
        return {"crashed": arguments.actor}


T = TypeVar("T")


async def _or_none(asked: Awaitable[T]) -> T | None:
    """The answer, or None from an actor that has none to give now."""
    try:
        return await asked
    except AskError:
        return None


def _code_of(error: AskError) -> Code:
    if isinstance(error, Timeout):
        return Code.TIMEOUT
    if isinstance(error, MailboxFull):
        return Code.OVERLOADED
    return Code.REFUSED if isinstance(error, RemoteError) else Code.FAILED
