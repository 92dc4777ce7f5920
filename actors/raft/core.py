"""The Raft core: PySyncObj behind a guard, without I/O.

What lives here: the one door.  Events and the time go in (``receive``, ``propose``, ``read``, ``configure``, ``tick``,
``written``); a write, messages, committed entries and answered reads come out.  Nothing here knows a socket, a file, a
clock or a task, so the same code runs in a server and in a simulator.  What does not: the actor that carries the
effects out (actors/raft/raft.py) and the state machine.

The contract, for whoever drives it:

1. Call events in any order; then ``flush()``.
2. Persist ``take_write()`` in order, and call ``written(sequence)`` when it is on disk.
3. Send ``take_messages()``: all of them may leave now.
4. Send ``take_chunks()`` too, with their bytes and checksum from disk, or not at all; the core keeps none.  Snapshots
   of ``sender.in_use`` stay on disk, whatever newer one is written.
5. Apply ``committed()`` in order and say ``applied(index)``; but first restore ``take_restore()`` when there is one.
6. Answer reads of ``take_reads()`` whose index is applied; tell ``take_failed_reads()`` to try again.
7. Call ``tick()`` at ``next_deadline()`` at the latest.
8. When the disk refuses a write, keep it and ``halt()``; ``resume()`` when what was refused is on disk.

Where to find what happens when:  the leader dies: ``election.py``.  Entries are sent: ``leader.py``; arrive:
``follower.py``.  Another term is heard of: ``terms.py``.  A read: ``reads.py``.  A server is far behind:
``snapshots.py``.  Servers come and go: ``changes.py``.  Histories differ: ``divergence.py``.  What may leave before
what is on disk: ``state.py`` and ``journal.py``.  What the engine does: ``engine.py``.
"""

from collections.abc import Callable
from typing import Any

from actors.config import RaftTiming
from actors.raft.changes import Changes
from actors.raft.configuration import Configuration, ConfigurationLog
from actors.raft.election import Election
from actors.raft.engine import Engine, Message
from actors.raft.entries import check_size
from actors.raft.follower import Follower
from actors.raft.journal import Journal, RestoredLog, Write
from actors.raft.leader import Leader
from actors.raft.messages import (
    Append,
    AppendReply,
    Configure,
    Heartbeat,
    HeartbeatReply,
    ReadIndex,
    ReadIndexReply,
    SnapshotChunk,
    SnapshotReply,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from actors.raft.reads import Reads
from actors.raft.snapshots import SnapshotReceiver, SnapshotSender
from actors.raft.state import Outbox, RaftState, Random
from actors.raft.terms import Terms
from actors.raft.transfer import Transfer
from storage.log_table import Entry
from storage.raft_messages import SnapshotSave

UNCOMMITTED_ENTRIES_MAX = 4_096

_WITHOUT_A_WRITE = (Heartbeat, ReadIndex)
"""What a server whose disk refuses writes still takes."""


class RaftCore:
    """One server's Raft."""

    def __init__(self, self_id: str, restored: RestoredLog, timing: RaftTiming, rng: Random, now: float) -> None:
        journal = Journal(restored.hard_state, restored.anchor, restored.entries, restored.commit)
        engine = Engine(self_id, journal, self._on_engine_message)
        self.state = RaftState(self_id, timing, rng, journal, engine, Outbox(journal), ConfigurationLog(), now)
        self.applied_index = journal.anchor_index
        self.is_halted = False
        self._restore: SnapshotSave | None = None
        self._restore_after = 0
        """The write that puts the snapshot to restore on disk."""
        if restored.snapshot is not None:
            self._restore = self.state.snapshot = snapshot = restored.snapshot.without_chunks()
            self.state.configurations.restart(snapshot.index, Configuration.decode(snapshot.configuration))
            self.applied_index = snapshot.index
        self.state.configurations.append(journal.entries(self.applied_index + 1, journal.last_index))
        self.leader = Leader(self.state)
        self.follower = Follower(self.state)
        self.election = Election(self.state)
        self.sender = SnapshotSender(self.state, self.leader)
        self.receiver = SnapshotReceiver(self.state, restored.arriving)
        self.reads = Reads(self.state, self.leader)
        self.handover = Transfer(self.state, self.leader)
        self.changes = Changes(self.state, self.leader, self.handover)
        self.terms = Terms(self.state, self.election, self._step_down)
        self.state.reconfigured()
        self._handlers: dict[type, Callable[[str, Any], None]] = {
            VoteRequest: self._on_vote_request,
            VoteReply: self._on_vote_reply,
            TimeoutNow: self._on_timeout_now,
            Append: self._on_append,
            AppendReply: self._on_append_reply,
            Heartbeat: self._on_heartbeat,
            HeartbeatReply: self._on_heartbeat_reply,
            ReadIndex: self.reads.on_request,
            ReadIndexReply: lambda _, reply: self.reads.on_reply(reply),
            SnapshotChunk: self._on_snapshot_chunk,
            SnapshotReply: self._on_snapshot_reply,
        }

    # --- events ---------------------------------------------------------------------------------------------------

    def receive(self, now: float, sender: str, message: object) -> None:
        """A message of another server of this cluster."""
        self.state.now = now
        if not self.is_halted or isinstance(message, _WITHOUT_A_WRITE):
            self._handlers[type(message)](sender, message)

    def tick(self, now: float) -> None:
        """Let timers act that are due."""
        state = self.state
        state.now = now
        self.reads.tick()
        if state.engine.is_leader:
            self._tick_leader()
        elif not self.is_halted and self.election.tick():
            self._campaign(transfer=False)

    def propose(self, now: float, data: bytes) -> tuple[int, int] | None:
        """Append an entry; returns its (index, term), or None when none are taken now.  Raises EntryTooLargeError."""
        self.state.now = now
        check_size(data)
        if not self.takes_proposals:
            return None
        self.state.engine.append(data)
        self.leader.appended()
        return self.state.journal.last_index, self.state.engine.term

    def read(self, now: float, token: int) -> None:
        """Ask for an index at which ``token`` reads linearizably; a halted server would not get that far."""
        self.state.now = now
        if self.is_halted or self.state.divergence.why:
            self.reads.failed.append(token)
        else:
            self.reads.request(token)

    def configure(self, now: float, change: Configure) -> str:
        """Append one change of the configuration; returns "" or the reason why not (rows 12 and 14)."""
        self.state.now = now
        return self.changes.make(change)

    def transfer(self, now: float, target: str) -> str:
        """Begin to hand leadership over ("" picks the best); returns "" or the reason why not (row 11)."""
        self.state.now = now
        return self.handover.begin(target)

    def peer_gone(self, now: float, peer: str) -> None:
        """There is evidence that a peer's process is dead."""
        self.state.now = now
        if peer == self.state.leader and not self.state.engine.is_leader:
            self.election.leader_is_gone()

    def written(self, now: float, sequence: int) -> None:
        """Write ``sequence`` is on disk."""
        self.state.now = now
        self.state.journal.written(sequence)

    def found(self, now: float, configuration: Configuration) -> None:
        """Start a cluster on an empty log; its first configuration stands in the anchor, as if from a snapshot."""
        anchor = self.state.journal.anchor_index, self.state.journal.anchor_term
        self.save_snapshot(now, SnapshotSave(*anchor, configuration.encode(), [], *anchor, discard_log=False))
        self.state.configurations.restart(anchor[0], configuration)
        self.state.reconfigured()
        if configuration.servers[0].id == self.state.self_id:
            self.election.hurry()  # one of several that found together: all at once would split the votes

    def abdicate(self, now: float) -> None:
        """Lead no longer, and have the fittest other voter stand at once."""
        self.state.now = now
        if self.state.engine.is_leader:
            self.handover.ask_successor()
            self._step_down(self.state.engine.term)

    def halt(self, now: float) -> None:
        """The disk refuses writes: who cannot keep promises must not lead, stand or vote.

        It goes on hearing the leader; what would need a write is dropped as if lost on the way, which Raft lives with.
        """
        self.abdicate(now)
        self.is_halted = self.state.outbox.is_mute = True

    def resume(self, now: float) -> None:
        """The disk has everything it had refused."""
        self.state.now = now
        self.is_halted = self.state.outbox.is_mute = False
        self.election.reset()

    def save_snapshot(self, now: float, snapshot: SnapshotSave) -> None:
        """Keep a snapshot of our own state machine and cut the log behind it."""
        state = self.state
        state.now, state.snapshot = now, snapshot.without_chunks()
        state.journal.save_snapshot(snapshot)
        state.configurations.compact(snapshot.index)
        self.receiver.overtaken(snapshot.index)

    # --- effects --------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Draw the consequences of the events so far."""
        state = self.state
        if state.engine.is_leader:
            # Nothing is committed that is not on this server's own disk, so there is something to count only then.
            if state.journal.durable_index > state.engine.commit:
                state.engine.count()
            self.handover.flush()
            self.sender.flush()
            self.leader.flush()
        self.reads.flush()

    def take_write(self) -> Write | None:
        """What must be on disk next."""
        return self.state.journal.take_write()

    def take_messages(self) -> list[tuple[str, object]]:
        """Messages that may leave now, as (server id, message)."""
        return self.state.outbox.take()

    def take_chunks(self) -> list[tuple[str, SnapshotChunk]]:
        """Chunks of snapshots that may leave now, as (server id, chunk), without their bytes and checksum."""
        return self.sender.take_due()

    def take_restore(self) -> SnapshotSave | None:
        """A snapshot on disk that the state machine must be set to before anything else is applied."""
        if self._restore is None or self.state.journal.written_sequence < self._restore_after:
            return None
        restore, self._restore = self._restore, None
        return restore

    def committed(self, entries_max: int) -> list[Entry]:
        """The next committed entries to apply; none while there is a snapshot to restore."""
        if self._restore is not None:
            return []
        last = min(self.state.engine.commit, self.applied_index + entries_max)
        return self.state.journal.entries(self.applied_index + 1, last)

    def applied(self, index: int) -> None:
        """Everything up to ``index`` is applied."""
        self.applied_index = index
        self.state.freshness.applied(index)

    def take_reads(self) -> list[tuple[int, list[int]]]:
        """Reads that have their index, as (index, tokens)."""
        ready, self.reads.ready = self.reads.ready, []
        return ready

    def take_failed_reads(self) -> list[int]:
        """Reads that got no index."""
        failed, self.reads.failed = self.reads.failed, []
        return failed

    def next_deadline(self) -> float:
        """When ``tick`` must be called next."""
        if self.is_halted:
            return self.reads.deadline
        deadline = self.leader.deadline if self.state.engine.is_leader else self.election.deadline
        return min(deadline, self.reads.deadline)

    # --- what it says of itself -----------------------------------------------------------------------------------

    @property
    def role(self) -> str:
        """``leader``, ``candidate``, ``follower``, or ``standby`` when this server has no vote."""
        role = self.state.engine.role
        return role if self.state.is_voter or role == "leader" else "standby"

    @property
    def takes_proposals(self) -> bool:
        """Whether this server leads, is not handing over, and its uncommitted log has room."""
        state = self.state
        return (
            state.engine.is_leader
            and not self.handover.is_under_way
            and state.journal.last_index - state.engine.commit < UNCOMMITTED_ENTRIES_MAX
        )

    # --- elections ------------------------------------------------------------------------------------------------

    def _on_vote_request(self, sender: str, request: VoteRequest) -> None:
        if request.term > self.state.engine.term and self.election.moves_term(request):
            self._step_down(request.term)
        self.election.on_request(sender, request)

    def _on_vote_reply(self, sender: str, reply: VoteReply) -> None:
        if reply.term > self.state.engine.term:
            self._step_down(reply.term)
        elif self.election.on_reply(sender, reply):
            self._campaign(transfer=False)
        elif self.state.engine.is_leader and self.state.leader != self.state.self_id:
            self._won()

    def _on_timeout_now(self, sender: str, request: TimeoutNow) -> None:
        state = self.state
        if request.term == state.engine.term and sender == state.leader and state.is_voter:
            self._campaign(transfer=True)

    def _campaign(self, *, transfer: bool) -> None:
        self.leader.begin()
        self.election.campaign(transfer)
        if self.state.engine.is_leader:
            self._won()

    def _won(self) -> None:
        self.state.leader = self.state.self_id
        self.state.divergence.end()
        self.handover.drop()
        self.election.reset()
        self.leader.won()
        self.changes.won()

    def _step_down(self, term: int) -> None:
        """The one way down: to a newer term, or out of a leadership that lost its quorum."""
        self.state.freshness.level(self.leader.level_at())
        self.state.engine.step_down(term)
        self.state.leader = None
        self.state.verified_index = 0
        self.handover.drop()
        self.sender.clear()
        self.reads.fail_all()
        self.election.reset()

    def _tick_leader(self) -> None:
        state = self.state
        if not self.leader.hears_quorum():
            self._step_down(state.engine.term)
            return
        self.handover.tick()
        self.leader.tick()
        self.sender.tick()

    # --- the log --------------------------------------------------------------------------------------------------

    def _on_append(self, sender: str, append: Append) -> None:
        if self.terms.hear_leader(sender, append.term):
            self.follower.on_append(sender, append)
            if self.state.divergence.why:
                self.reads.fail_all()
        else:
            self.terms.answer_old(sender, AppendReply(self.state.engine.term, 0, False, 0))

    def _on_heartbeat(self, sender: str, heartbeat: Heartbeat) -> None:
        if self.terms.hear_leader(sender, heartbeat.term):
            self.follower.on_heartbeat(sender, heartbeat)
        else:
            self.terms.answer_old(sender, HeartbeatReply(self.state.engine.term, 0, 0))

    def _on_snapshot_chunk(self, sender: str, chunk: SnapshotChunk) -> None:
        if not self.terms.hear_leader(sender, chunk.term):
            self.terms.answer_old(sender, SnapshotReply(self.state.engine.term, 0, 0, False))
            return
        if not self.follower.takes_snapshot(sender, chunk):
            return
        snapshot = self.receiver.on_chunk(sender, chunk)
        if snapshot is not None:
            self.applied_index = snapshot.index
            self._restore, self._restore_after = snapshot, self.state.journal.next_promise

    def _on_append_reply(self, sender: str, reply: AppendReply) -> None:
        if self.terms.is_answer_to_leader(reply.term):
            self.leader.on_reply(sender, reply)

    def _on_heartbeat_reply(self, sender: str, reply: HeartbeatReply) -> None:
        if self.terms.is_answer_to_leader(reply.term):
            self.leader.on_heartbeat_reply(sender, reply)

    def _on_snapshot_reply(self, sender: str, reply: SnapshotReply) -> None:
        if self.terms.is_answer_to_leader(reply.term):
            self.sender.on_reply(sender, reply)

    # --- the engine's messages ------------------------------------------------------------------------------------

    def _on_engine_message(self, peer: str, message: Message) -> None:
        kind = message["type"]
        if kind == "request_vote":
            self.election.on_engine_request(peer)
        elif kind == "response_vote":
            self.election.on_engine_grant()
        elif kind != "next_node_idx":  # our own AppendReply says it better
            raise AssertionError(f"the engine sent {kind!r} past the guard")
