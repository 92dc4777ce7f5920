"""A server around a real gateway: the runtime is real, its neighbours are played, time is virtual."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Self

from actors.config import NodeConfig
from actors.gateway.control import Actors, Faults
from actors.gateway.gateway import Gateway
from actors.gateway.limits import GatewayLimits
from actors.gateway.log_tap import LogTap
from actors.gossip.member import Member
from actors.gossip.messages import (
    ChangeTags,
    ForceLeave,
    GossipStatusRequest,
    JoinPeers,
    MembersRequest,
    MembersView,
    RttRequest,
    RttsRequest,
    TrailEntry,
)
from actors.identity import Identity
from actors.leaving import LeaveError
from actors.raft.messages import (
    LeaderChanged,
    Propose,
    RaftStatusRequest,
    Read,
    Results,
    TakeSnapshot,
    TransferLeadership,
)
from actors.reconciler.messages import ReconcilerStatusRequest, RemoveServer
from actors.runtime.actor import Actor, Context, Sender, handles
from storage.envelope import RAW
from tests.unit.runtime.stage import Stage
from transport.client.frames import encode_request
from transport.client.protocol import Request, Response, decode_payload, encode_payload
from transport.wire import CLIENT, ErrorReply, Json, decode_body, unpack

ONE, TWO = "10.0.0.1:7946", "10.0.0.2:7946"
NAMES = {ONE: "one", TWO: "two"}


class Raft(Actor):
    """Applies commands by turning them to upper case, as long as its server leads."""

    def __init__(self, context: Context, server: Server) -> None:
        super().__init__(context)
        self.server = server

    def status(self) -> dict[str, Any]:
        """What the real one answers, in short."""
        leader = self.server.leader
        return {
            "role": "leader" if leader == self.server.address else "follower",
            "term": 3,
            "leader": NAMES.get(leader, ""),
            "leader_id": NAMES.get(leader, ""),
            "leader_address": leader,
            "established": True,
            "commit_index": 12,
            "applied_index": 12,
            "voters": ["one", "two"] if self.server.is_in_configuration else [],
            "standbys": [],
            "quorum": bool(leader),
            "storage_error": "",
            "divergence": self.server.divergence,
            "peers": [
                {
                    "name": name,
                    "id": name,
                    "address": address,
                    "role": "leader" if address == leader else "follower",
                    "voter": True,
                }
                for address, name in (NAMES.items() if self.server.is_in_configuration else ())
            ],
        }

    @handles(RaftStatusRequest)
    def on_status(self, msg: RaftStatusRequest, sender: Sender) -> Json | None:
        """Answer, unless it plays dead."""
        return Json(self.status()) if self.server.answers else None

    @handles(Propose)
    def on_propose(self, msg: Propose, sender: Sender) -> None:
        """Apply at once, or say that another server leads."""
        batch = [(key, command.removeprefix(RAW)) for key, command in msg.batch]
        self.server.batches.append([command for _, command in batch])
        if not self.server.answers:
            return
        leads = self.server.leader == self.server.address
        done = [(key, "ok", RAW + command.upper()) if leads else (key, "not_leader", b"") for key, command in batch]
        self.context.ref("gateway").tell(Results(done, 12, 0))

    @handles(Read)
    def on_read(self, msg: Read, sender: Sender) -> None:
        """Answer every query with itself."""
        self.context.ref("gateway").tell(
            Results([(key, "ok", query.removeprefix(RAW)) for key, query, _ in msg.batch], 12, 0)
        )

    @handles(TransferLeadership)
    def on_transfer(self, msg: TransferLeadership, sender: Sender) -> Json:
        """Only to the other server."""
        return Json({"ok": msg.target in ("", "two"), "reason": "" if msg.target in ("", "two") else "no such server"})

    @handles(TakeSnapshot)
    def on_snapshot(self, msg: TakeSnapshot, sender: Sender) -> Json:
        """Done."""
        return Json({"ok": True, "index": 12, "reason": ""})


class Gossip(Actor):
    """Knows two servers."""

    @handles(MembersRequest)
    def on_members(self, msg: MembersRequest, sender: Sender) -> MembersView:
        """Both members, the second with a tag and a story."""
        members = [
            Member("two", "two", TWO, "suspect", {"zone": "b"}, 4, 2, 1.5),
            Member("one", "one", ONE, "alive", {}, 3, 1),
        ]
        why = {"two": [TrailEntry(1.5, "suspect", "one", "no answer to a probe")]} if msg.why == "two" else {}
        return MembersView(members, "one", why)

    @handles(ChangeTags)
    def on_tags(self, msg: ChangeTags, sender: Sender) -> Json:
        """There are none to remove."""
        if msg.remove:
            return Json({"ok": False, "reason": "there is no such tag"})
        return Json({"ok": True, "name": "one", "tags": msg.put, "incarnation": 4})

    @handles(RttsRequest)
    def on_rtts(self, msg: RttsRequest, sender: Sender) -> Json:
        """One has measured two."""
        return Json({"two": 0.61})

    @handles(RttRequest)
    def on_rtt(self, msg: RttRequest, sender: Sender) -> Json:
        """Only two is known."""
        if msg.start != "two":
            return Json({"ok": False, "reason": f"no member is called {msg.start!r}"})
        return Json({"ok": True, "from": msg.start, "to": msg.to or "one", "rtt_ms": 0.61})

    @handles(GossipStatusRequest)
    def on_status(self, msg: GossipStatusRequest, sender: Sender) -> Json:
        """One peer has refused, another is asked."""
        seeking = [
            {"address": "a:1", "attempts": 3, "error": "refused: no", "next_try_s": 1.5},
            {"address": "b:2", "attempts": 1, "error": "", "next_try_s": None},
        ]
        figures = {"health_score": 2, "lamport": 9, "queue": 4, "counters": {"probes": 7}}
        away = [{"address": "c:3", "name": "three", "reason": "two clusters never merge", "age_s": 2.5}]
        return Json({"join_state": "joined", "seeking": seeking, "mustering": [], "turned_away": away, **figures})

    @handles(JoinPeers)
    def on_join(self, msg: JoinPeers, sender: Sender) -> Json:
        """The first joins, the others do not."""
        return Json({"joined": msg.peers[:1], "failed": dict.fromkeys(msg.peers[1:], "no answer")})

    @handles(ForceLeave)
    def on_force_leave(self, msg: ForceLeave, sender: Sender) -> object:
        """Only a member can be declared left."""
        if msg.name not in NAMES.values():
            return ErrorReply("LookupError", f"no member is called {msg.name}")
        return Json({"id": msg.name, "name": msg.name, "status": "left"})


class Reconciler(Actor):
    """Has one reason."""

    @handles(ReconcilerStatusRequest)
    def on_status(self, msg: ReconcilerStatusRequest, sender: Sender) -> Json:
        """The last decisions."""
        return Json({"two": "voter"})

    @handles(RemoveServer)
    def on_remove(self, msg: RemoveServer, sender: Sender) -> Json:
        """Refuse."""
        return Json({"ok": False, "reason": f"removing {msg.name} would cost the quorum"})


class PlayedFaults(Faults):
    """Notes the faults."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def cut(self, address: str, *, inbound: bool, outbound: bool) -> None:
        """Note it."""
        self._log.append(f"cut {address} {inbound} {outbound}")

    def heal(self) -> None:
        """Note it."""
        self._log.append("heal")

    def crash(self, name: str) -> None:
        """Only one actor can be crashed."""
        if name != "raft":
            raise ValueError(f"there is no actor {name}")
        self._log.append(f"crash {name}")


class Server:
    """One server at an address, on a stage of its own; it is the gateway's `Control`."""

    def __init__(
        self,
        config: NodeConfig,
        address: str = ONE,
        limits: GatewayLimits | None = None,
        *,
        cluster_id: str = "c1",
    ) -> None:
        self.address = address
        self.config = config
        self.stage = Stage(address=address, server=NAMES[address])
        self.identity = Identity(NAMES[address], NAMES[address], address, boot=1, cluster_id=cluster_id)
        self.leader = ""
        self.answers = True
        self.divergence = ""
        self.batches: list[list[bytes]] = []
        self.log: list[str] = []
        self.may_leave = True
        self.is_in_configuration = True
        self._limits = limits
        self._ids = count(1)
        self._logs = LogTap("run", f"play.{NAMES[address]}")

    # --- Control ---

    @property
    def system(self) -> Actors:
        """The stage's."""
        return self.stage.system

    @property
    def faults(self) -> Faults | None:
        """Noted, if the configuration has them."""
        return PlayedFaults(self.log) if self.config.fault_hooks else None

    @property
    def logs(self) -> LogTap:
        """Of a logger of its own."""
        return self._logs

    @property
    def is_starting(self) -> bool:
        """Never."""
        return False

    def uptime_s(self) -> float:
        """Virtual."""
        return self.stage.loop.time()

    def link_stats(self) -> dict[str, Any]:
        """There are no links."""
        return {}

    async def leave(self) -> dict[str, Any]:
        """Leave, or say why not."""
        if not self.may_leave:
            raise LeaveError("cannot leave: no quorum")
        return {"left": True}

    # --- the play ---

    async def __aenter__(self) -> Self:
        self._logs.open()
        await self.stage.play(
            ("gossip", Gossip),
            ("raft", lambda context: Raft(context, self)),
            ("reconciler", Reconciler),
            ("gateway", lambda context: Gateway(context, self, self._limits)),
        )
        return self

    async def __aexit__(self, *why: object) -> None:
        self._logs.close()
        await self.stage.__aexit__(None, None, None)

    async def follow(self, leader: str) -> None:
        """Raft tells the gateway who leads."""
        self.leader = leader
        news = LeaderChanged(3, NAMES.get(leader, ""), leader, is_me=leader == self.address, ready=True)
        self.stage.tell("gateway", news)
        await asyncio.sleep(0)

    async def request(self, op: str, payload: Any = None, timeout_s: float = 5.0) -> Response:
        """What a request of a client of this server is answered with."""
        request = Request(
            next(self._ids), op, encode_payload({} if payload is None else payload), int(timeout_s * 1000)
        )
        answer = await self.stage.system.ref("gateway").ask(request, timeout_s=timeout_s + 1)
        assert isinstance(answer, Response)
        assert answer.id == request.id
        return answer

    async def value(self, op: str, payload: Any = None) -> Any:
        """The value of an operation that succeeds."""
        answer = await self.request(op, payload)
        assert answer.code == "ok", answer
        return decode_payload(answer.payload)

    def from_client(self, routing_id: bytes, request: Request) -> None:
        """A client's frame arrives on a link."""
        header, body = unpack(encode_request(request))
        self.stage.system.deliver(header, CLIENT, body, routing_id)

    def replies(self) -> list[tuple[bytes, Any]]:
        """What went back to clients on links: (routing id, message)."""
        links = self.stage.system._links
        assert links is not None
        return [(who, decode_body(one.kind, one.body)) for who, one in links.replies]  # type: ignore[attr-defined]
