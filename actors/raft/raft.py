"""The raft actor: carries the effects of the Raft core out.

What lives here: the way of a command through this server.  The gateway's ``Propose`` is batched into entries, the core
appends them, the persistence actor makes them durable while links carry them to the others, the core says what is
committed, the applier applies it, and ``Results`` go back to the gateway.  What does not: any rule of Raft (core.py and
the modules beside it), SQL, sockets.

One turn (turn.py) follows every batch of messages: propose, flush the core, send, write, apply, answer; then report.
A proposal that finds the server idle is therefore flushed at once, and while a turn runs the next batch gathers.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

from actors.config import NodeConfig
from actors.gossip.messages import MemberChanged
from actors.identity import Identity
from actors.raft.applier import Applier
from actors.raft.attesting import sort_out
from actors.raft.chunk_post import ChunkPost
from actors.raft.configuration import Configuration, Server
from actors.raft.core import RaftCore
from actors.raft.disk import RETRY_S, Disk
from actors.raft.journal import RestoredLog
from actors.raft.log_clock import LogClock
from actors.raft.messages import (
    Append,
    AppendReply,
    Configure,
    Continue,
    Follow,
    FoundCluster,
    Heartbeat,
    HeartbeatReply,
    LeaderChanged,
    PeerGone,
    Propose,
    RaftStatusRequest,
    RaftView,
    Read,
    ReadIndex,
    ReadIndexReply,
    Results,
    RetryDisk,
    SnapshotChunk,
    SnapshotReply,
    Stirred,
    TakeSnapshot,
    Tick,
    TimeoutNow,
    TransferLeadership,
    ViewRequest,
    VoteReply,
    VoteRequest,
)
from actors.raft.proposals import Proposals
from actors.raft.restoring import Restoring
from actors.raft.snapshotting import Snapshotting
from actors.raft.status import raft_status, raft_view
from actors.raft.turn import Turn
from actors.runtime.actor import Actor, Context, Sender, Timer, handles
from storage.raft_messages import RaftLoad, RaftLoaded, RaftWritten
from storage.state_machine import StateMachine
from transport.client.stale import AGE_UNKNOWN_MS
from transport.wire import Json

LOAD_TIMEOUT_S = 120.0
APPLY_ENTRIES_PER_TURN = 64
ADDRESSES_MAX = 1024
ID_CHARS_SHOWN = 8

_log = logging.getLogger("quorate.raft")


class RaftActor(Actor):
    """Raft for one server.  ``found_cluster``: an empty data directory starts a cluster of one instead of waiting."""

    def __init__(
        self,
        context: Context,
        *,
        identity: Identity,
        config: NodeConfig,
        machine: Callable[[], StateMachine],
        found_cluster: bool,
    ) -> None:
        super().__init__(context)
        self._identity = identity
        self._config = config
        self._timing = config.raft_timing
        self._found_cluster = found_cluster
        self._applier = Applier(machine())
        self._restoring = Restoring(context, machine, self._restored, self._go_on)
        self._disk = Disk(context.incarnation, context.ref("persistence").tell)
        self._gateway = context.ref("gateway")
        self._core: RaftCore
        self._snapshotting: Snapshotting
        self._chunks: ChunkPost
        self._turn: Turn
        self._log_clock: LogClock
        self._proposals: Proposals
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        """By the ids of members: for the log of a server that has no configuration yet."""
        self._reads: dict[int, list[tuple[int, bytes]]] = {}
        self._read_token = 0
        self._armed_for = float("inf")
        self._timer: Timer | None = None
        self._reported: tuple[int, str, str, bool, bool] = (-1, "", "", False, False)
        self._handing_over: list[Sender] = []
        self._followed_from: int | None = None
        """The gateway wants to know when more than this is applied."""

    async def on_start(self) -> None:
        """Load raft.db; from then on the persistence actor refuses an older incarnation's writes."""
        loaded: RaftLoaded = await self.context.ref("persistence").ask(
            RaftLoad(self.context.incarnation), timeout_s=LOAD_TIMEOUT_S
        )
        now = self.context.now()
        self._core = RaftCore(self._identity.id, RestoredLog.of(loaded), self._timing, self.context.rng, now)
        self._snapshotting = Snapshotting(self.context, self._core, self._applier, self._timing)
        self._chunks = ChunkPost(self.context, self._core, self._send)
        self._log_clock = LogClock(self._core, self._applier)
        self._proposals = Proposals(self._core, self._applier, self._disk, self._log_clock, self.context.now)
        self._turn = self._make_turn()
        if loaded.cluster_id:
            self._identity.adopt_cluster(loaded.cluster_id)
        elif self._identity.cluster_id:
            self._disk.store_cluster_id(self._identity.cluster_id)
        else:
            self._identity.on_cluster(self._disk.store_cluster_id)
        if self._found_cluster and self._core.state.is_fresh:
            self._core.found(now, self._first_configuration())
        self.context.me.tell(Tick())

    def _make_turn(self) -> Turn:
        return Turn(
            core=self._core,
            propose=self._proposals.propose,
            send=self._send_due,
            hold=self._chunks.hold,
            write=self._disk.write,
            chunks=self._chunks.send_due,
            apply=self._apply,
            answer=self._answer,
        )

    def on_turn_end(self) -> None:
        """Draw the consequences of a batch of messages."""
        self._mind_disk()
        self._turn.take()
        self._report()
        self._arm()

    # --- from other servers ---------------------------------------------------------------------------------------

    @handles(
        VoteRequest, VoteReply, TimeoutNow, Append, AppendReply, Heartbeat, HeartbeatReply, ReadIndex, ReadIndexReply,
        SnapshotChunk, SnapshotReply,
    )  # fmt: skip
    def _on_peer(self, msg: Any, sender: Sender) -> None:
        if not sender.server or sender.server == self._identity.id:
            return
        if len(self._addresses) < ADDRESSES_MAX or sender.server in self._addresses:
            self._addresses[sender.server] = sender.address
        self._core.receive(self.context.now(), sender.server, msg)

    # --- from the actors of this server ---------------------------------------------------------------------------

    @handles(Propose)
    def _on_propose(self, msg: Propose, sender: Sender) -> None:
        self._proposals.waiting.extend(msg.batch)

    @handles(Read)
    def _on_read(self, msg: Read, sender: Sender) -> None:
        linearizable = sort_out(msg, self._core, self._applier)
        if linearizable:
            self._read_token += 1
            self._reads[self._read_token] = linearizable
            self._core.read(self.context.now(), self._read_token)

    @handles(Follow)
    def _on_follow(self, msg: Follow, sender: Sender) -> None:
        self._followed_from = msg.applied

    @handles(RaftWritten)
    def _on_written(self, msg: RaftWritten, sender: Sender) -> None:
        sequence = self._disk.on_written(msg)
        if sequence is not None:
            self._core.written(self.context.now(), sequence)
            self._snapshotting.written(sequence)

    @handles(RetryDisk)
    def _on_retry_disk(self, msg: RetryDisk, sender: Sender) -> None:
        self._disk.retry()
        if self._disk.error:
            self.context.after(RETRY_S, RetryDisk())

    @handles(Tick)
    def _on_tick(self, msg: Tick, sender: Sender) -> None:
        self._armed_for = float("inf")
        self._core.tick(self.context.now())

    @handles(Continue)
    def _on_continue(self, msg: Continue, sender: Sender) -> None:
        """The turn that follows goes on."""

    @handles(MemberChanged)
    def _on_member(self, msg: MemberChanged, sender: Sender) -> None:
        self._addresses[msg.member.id] = msg.member.address
        self._names[msg.member.id] = msg.member.name

    @handles(PeerGone)
    def _on_peer_gone(self, msg: PeerGone, sender: Sender) -> None:
        leader = self._core.state.leader
        if leader is not None and self._address(leader) == msg.address:
            self._core.peer_gone(self.context.now(), leader)

    @handles(Configure)
    def _on_configure(self, msg: Configure, sender: Sender) -> Json:
        reason = self._core.configure(self.context.now(), msg)
        return Json({"ok": not reason, "reason": reason})

    @handles(FoundCluster)
    def _on_found(self, msg: FoundCluster, sender: Sender) -> Json:
        # Where entries have arrived already, others have founded it: then this server has joined them.
        if self._identity.adopt_cluster(msg.cluster_id) and self._core.state.is_fresh:
            self._core.found(self.context.now(), Configuration.decode(msg.configuration))
        return Json({"ok": self._identity.cluster_id == msg.cluster_id})

    @handles(RaftStatusRequest)
    def _on_status(self, msg: RaftStatusRequest, sender: Sender) -> Json:
        return Json(raft_status(self._core, self._applier, self._disk))

    @handles(ViewRequest)
    def _on_view(self, msg: ViewRequest, sender: Sender) -> RaftView:
        return raft_view(self._core)

    @handles(TransferLeadership)
    def _on_transfer(self, msg: TransferLeadership, sender: Sender) -> Json | None:
        target = ""
        if msg.target:
            server = self._core.state.configuration.named(msg.target)
            if server is None:
                return Json({"ok": False, "reason": f"there is no server named {msg.target} in the configuration"})
            target = server.id
        reason = self._core.transfer(self.context.now(), target)
        if reason:
            return Json({"ok": False, "reason": reason})
        self._handing_over.append(sender)
        return None

    @handles(TakeSnapshot)
    def _on_take_snapshot(self, msg: TakeSnapshot, sender: Sender) -> None:
        self._snapshotting.begin(sender)

    # --- the turn -------------------------------------------------------------------------------------------------

    def _mind_disk(self) -> None:
        """Whoever cannot keep an entry must not lead: the others can."""
        core = self._core
        if self._disk.error and not core.is_halted:
            core.halt(self.context.now())
            self.context.after(RETRY_S, RetryDisk())
        elif core.is_halted and not self._disk.error:
            core.resume(self.context.now())

    def _send_due(self) -> None:
        messages = self._core.take_messages()
        for peer, msg in messages:
            self._send(peer, msg)
        if messages:
            # ZeroMQ's thread has them now and may wait for this core, as others wait for that thread.
            os.sched_yield()

    def _send(self, peer: str, msg: object) -> None:
        address = self._address(peer)
        if address:
            self.context.ref("raft", address).tell(msg)

    def _address(self, peer: str) -> str:
        """Where a server was heard or seen last, else where the configuration has it; "" if nowhere."""
        address = self._addresses.get(peer)
        if address is None:
            server = self._core.state.configuration.get(peer)
            return server.address if server else ""
        return address

    def _name(self, leader: str) -> str:
        """The name for people; the beginning of the id of one that is not known, "nobody" for ""."""
        server = self._core.state.configuration.get(leader)
        return server.name if server else self._names.get(leader) or leader[:ID_CHARS_SHOWN] or "nobody"

    def _apply(self) -> None:
        core = self._core
        if self._restoring.is_under_way:
            return
        restore = core.take_restore()
        if restore is not None:
            self._restoring.begin(restore)
            return
        if core.applied_index >= core.state.engine.commit:
            return
        entries = core.committed(APPLY_ENTRIES_PER_TURN)
        if not entries:
            return
        self._applier.apply(entries)
        core.applied(self._applier.applied)
        if core.applied_index < core.state.engine.commit:
            self._go_on()
        self._snapshotting.consider()

    def _restored(self, machine: StateMachine, index: int) -> None:
        self._applier.replace(machine, index)
        self._core.state.freshness.applied(index)
        self._go_on()

    def _go_on(self) -> None:
        self.context.me.tell(Continue())

    def _answer(self) -> None:
        for index, tokens in self._core.take_reads():
            for token in tokens:
                for query in self._reads.pop(token):
                    self._applier.read_at(index, query)
        for token in self._core.take_failed_reads():
            self._applier.refuse([key for key, _ in self._reads.pop(token)], "no_leader")
        answers = self._applier.take_answers()
        if answers:
            self._gateway.tell(Results(answers, self._applier.applied, self._age_ms()))
        followed_from = self._followed_from
        if followed_from is not None and (self._applier.applied > followed_from or self._core.state.divergence.why):
            self._followed_from = None
            self._gateway.tell(Stirred(self._applier.applied))
        if self._handing_over and not self._core.handover.is_under_way:
            self._answer_transfer()

    def _answer_transfer(self) -> None:
        lost_it = not self._core.state.engine.is_leader
        reason = "" if lost_it else "the other server did not take over within an election timeout; this one leads on"
        for sender in self._handing_over:
            self.context.reply(sender, Json({"ok": lost_it, "reason": reason}))
        self._handing_over.clear()

    def _age_ms(self) -> int:
        level_at = self._core.leader.level_at()
        return AGE_UNKNOWN_MS if level_at == float("-inf") else max(0, int((self.context.now() - level_at) * 1000))

    def _report(self) -> None:
        """Tell gateway and reconciler when leadership has changed."""
        core = self._core
        leader = core.state.leader or ""
        is_me = leader == self._identity.id
        address = self._identity.address if is_me else self._address(leader)
        news = core.state.engine.term, leader, address, is_me, is_me and core.leader.is_established
        if news == self._reported:
            return
        changed = LeaderChanged(*news)
        if leader != self._reported[1]:
            _log.info("term %d: %s leads", changed.term, self._name(leader))
        self._reported = news
        self._gateway.tell(changed)
        self.context.ref("reconciler").tell(changed)

    def _arm(self) -> None:
        """Have a Tick in the mailbox when the core wants one; one that comes too early does no harm."""
        deadline = min(self._core.next_deadline(), self._log_clock.next_deadline(self.context.now()))
        if deadline < self._armed_for:
            self._armed_for = deadline
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.context.after(max(deadline - self.context.now(), 0.001), Tick())

    def _first_configuration(self) -> Configuration:
        identity = self._identity
        return Configuration((Server(identity.id, identity.name, identity.address, voter=True),))
