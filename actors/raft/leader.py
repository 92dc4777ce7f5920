"""The leader's side of the log: what is on its way to each peer, and what came back.

What lives here: the sending of entries, the send window, the acknowledgements and the repair of gaps over the engine's
nextIndex and matchIndex, plus the heartbeats.  What does not: when an entry is committed, which is the engine's, and
snapshots (actors/raft/snapshots.py).

Rules:
1. An answer counts only in the leader's term, from a peer of the configuration, up to the end of our log (row 2).
2. Success never moves nextIndex back (row 3).
3. One re-send a gap: after a mismatch everything sent so far is void, and answers to it are ignored (row 4).
4. At most ``WINDOW_BYTES`` and ``WINDOW_MESSAGES`` are on their way to one peer, and the one append that fills it.
5. Whatever is not acknowledged is probed once a heartbeat with an empty append on the same ordered lane: it arrives
   after everything sent before, so its answer says exactly whether something was lost.
6. A change of the configuration is on the leader's own disk before anybody else has it.  Else a leader of two that
   takes the other's vote, and forgets so in a crash, would need that vote: the other one has the longer log and
   refuses, and by that log it must not stand itself.  For the same reason whoever loses its vote gets the change once
   it is committed.
7. Heartbeats are numbered in rounds; a read waits for a round that began after it (actors/raft/reads.py).  Of those
   that nobody waits for every other one is answered: that tells often enough who hears (row 10), and an idle leader is
   woken by little else.
8. What a peer has acknowledged it has.  One whose log ends before that, or differs, says so in an answer to an append
   that was sent later: its data directory was put back from an older copy.  It counts for what it has, and is sent the
   rest again.
9. A lone entry goes to a bare majority first (actors/raft/spread.py).
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable
from math import inf

from attrs import define, field

from actors.raft.journal import FRESH_ANCHOR_INDEX
from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply
from actors.raft.spread import Spread
from actors.raft.state import RaftState
from storage.log_table import Entry

_log = logging.getLogger("quorate.raft")

BATCH_BYTES = 1024 * 1024
"""After so much an append ends."""
WINDOW_BYTES = 8 * 1024 * 1024
WINDOW_MESSAGES = 512


@define
class Progress:
    """What the leader of a term knows of one peer besides the engine's nextIndex and matchIndex."""

    last_ack: float
    sequence: int = 0
    resent_at: int = 0
    matched_at: int = 0
    """The last append that had been sent when the peer acknowledged something new."""
    helped_at: float = -inf
    """When it last acknowledged what was not committed yet."""
    acked_round: int = 0
    in_flight: deque[tuple[int, int]] = field(factory=deque)
    in_flight_bytes: int = 0
    has_snapshot_pending: bool = False
    must_compare: bool = False
    """The peer was restarted: it has what it acknowledged, but does not know that it is still our log."""

    @property
    def is_window_full(self) -> bool:
        """Whether no more entries may be sent for now."""
        return self.in_flight_bytes >= WINDOW_BYTES or len(self.in_flight) >= WINDOW_MESSAGES

    def sent(self, entries: list[Entry]) -> int:
        """Note an append on its way; returns its sequence number.  A probe takes no room in the window."""
        self.sequence += 1
        if entries:
            size = sum(len(data) for data, _, _ in entries)
            self.in_flight.append((self.sequence, size))
            self.in_flight_bytes += size
        return self.sequence

    def arrived(self, sequence: int) -> None:
        """The append ``sequence`` was answered, so that none before it is on its way any more."""
        while self.in_flight and self.in_flight[0][0] <= sequence:
            self.in_flight_bytes -= self.in_flight.popleft()[1]

    def void(self) -> None:
        """Everything sent so far is to be sent again."""
        self.resent_at = self.sequence
        self.in_flight.clear()
        self.in_flight_bytes = 0


class Leader:
    """Replication to every peer, for as long as this server leads."""

    def __init__(self, state: RaftState) -> None:
        self._state = state
        self._is_replication_due = False
        self._spread = Spread(state)
        self.progress: dict[str, Progress] = {}
        self.round = 0
        self.heartbeat_at = 0.0
        self._beat_wants_reply = True
        self._won_at = 0.0
        self.term_start = 0
        """Index of the no-op of this term; nothing is served before it is committed."""

    def begin(self) -> None:
        """A candidacy begins: forget what an earlier term knew of the peers."""
        self.progress = {peer: Progress(self._state.now) for peer in self._state.peers}
        self.round = 0
        self.heartbeat_at = self._state.now

    def won(self) -> None:
        """The candidacy is won: the engine has appended the no-op of this term."""
        self.term_start = self._state.journal.last_index
        self._won_at = self._state.now
        self._spread.begin()
        for progress in self.progress.values():
            progress.last_ack = self._state.now
        self._is_replication_due = True

    def reconfigured(self) -> None:
        """Peers came or went."""
        peers = self._state.peers
        self.progress = {peer: self.progress.get(peer) or Progress(self._state.now) for peer in peers}
        self._is_replication_due = True

    @property
    def deadline(self) -> float:
        """When ``tick`` has something to do."""
        return min(self.heartbeat_at, self._spread.due_at)

    @property
    def is_established(self) -> bool:
        """Whether an entry of this term is committed: before that, a leader does not know what is."""
        return self._state.engine.is_leader and self._state.engine.commit >= self.term_start

    def hears_quorum(self) -> bool:
        """Whether a majority has answered within the largest election timeout (row 10)."""
        since = self._state.now - self._state.timing.election_max_s
        return self._state.is_quorum(peer for peer, p in self.progress.items() if p.last_ack >= since)

    @property
    def knows_who_answers(self) -> bool:
        """Whether this leader has heard of everybody in its term, or has waited long enough to miss the others."""
        timing = self._state.timing
        return self._state.now - self._won_at > timing.election_max_s + timing.heartbeat_s or all(
            progress.last_ack > self._won_at for progress in self.progress.values()
        )

    def level_at(self) -> float:
        """When what is here was all there was, as far as this server knows: for a leader, when a majority answered."""
        state = self._state
        if not self.is_established:
            return state.freshness.level_at
        voters = state.configuration.voters
        answers = sorted((state.now if v == state.self_id else self._last_ack(v) for v in voters), reverse=True)
        return answers[len(voters) // 2]

    def _last_ack(self, peer: str) -> float:
        progress = self.progress.get(peer)
        return progress.last_ack if progress else -inf

    def appended(self) -> None:
        """There is something new to send."""
        self._is_replication_due = True

    def lagging_behind_log(self) -> list[str]:
        """Peers that need entries which are no longer in the log, looked for whenever there is something to send."""
        if not self._is_replication_due:
            return []
        anchor = self._state.journal.anchor_index
        return [peer for peer in self.progress if self._state.engine.next_index(peer) <= anchor]

    def flush(self) -> None:
        """Send what may be sent."""
        self._spread.observe()
        if not self._is_replication_due or self._has_unsaved_change:
            return
        held_back = self._held_back()
        self._is_replication_due = bool(held_back)
        waiting = self._waiting()
        for peer, progress in self.progress.items():
            if peer not in held_back and peer not in waiting and not progress.has_snapshot_pending:
                self._replicate(peer, progress)

    def bring(self, peer: str) -> None:
        """A peer waits for all that there is."""
        if peer in self.progress and self._spread.due_at < inf:
            self._spread.due_at = self._state.now
            self._is_replication_due = True

    def _waiting(self) -> Collection[str]:
        if not self.is_established:
            return ()
        first = self._bare_majority(lambda progress: progress.helped_at)
        engine, last = self._state.engine, self._state.journal.last_index
        return self._spread.waiting([p for p in self.progress if p not in first and engine.next_index(p) <= last])

    @property
    def _has_unsaved_change(self) -> bool:
        return self._state.configurations.latest_index > self._state.journal.durable_index

    def _held_back(self) -> frozenset[str]:
        configurations = self._state.configurations
        index = configurations.latest_index
        if index <= self._state.engine.commit:
            return frozenset()
        return configurations.at(index - 1).voters - configurations.latest.voters

    def _replicate(self, peer: str, progress: Progress) -> None:
        """Send a peer what it has not been sent, as far as the window and the log reach."""
        engine, journal = self._state.engine, self._state.journal
        prev = engine.next_index(peer) - 1
        while prev < journal.last_index and not progress.is_window_full:
            prev_term = journal.term_at(prev)
            if prev_term is None:
                return
            entries = journal.run(prev + 1, BATCH_BYTES)
            self._send(peer, prev, prev_term, entries)
            prev = entries[-1][1]
            engine.sent(peer, prev)

    def on_reply(self, peer: str, reply: AppendReply) -> None:
        """An append was answered in our term."""
        progress = self.progress.get(peer)
        state = self._state
        if progress is None or reply.sequence > progress.sequence:
            return
        progress.last_ack = state.now
        progress.arrived(reply.sequence)
        if reply.success:
            if reply.match > state.engine.commit:
                progress.helped_at = state.now
            if state.engine.match_index(peer) < reply.match <= state.journal.last_index:
                state.engine.acknowledge(peer, reply.match)
                progress.matched_at = progress.sequence
        elif reply.sequence > progress.resent_at:
            if reply.sequence > progress.matched_at:
                self._forget(peer, reply.end)
            hint = max(min(reply.match, state.journal.last_index), FRESH_ANCHOR_INDEX)
            state.engine.rewind(peer, hint + 1)
            progress.void()
        self._is_replication_due |= state.engine.next_index(peer) <= state.journal.last_index

    def _forget(self, peer: str, end: int) -> None:
        acknowledged = self._state.engine.match_index(peer)
        if end < acknowledged:
            _log.critical(
                "%s has lost entries %d to %d, which it had acknowledged: its data directory was put back from an "
                "older copy, or its disk did not keep what it had synced. They are sent again",
                self._state.configuration.name_of(peer),
                end + 1,
                acknowledged,
            )
            self._state.engine.forget(peer, end)

    def on_heartbeat_reply(self, peer: str, reply: HeartbeatReply) -> None:
        """A heartbeat was answered in our term."""
        progress = self.progress.get(peer)
        if progress is not None and reply.round <= self.round:
            progress.last_ack = self._state.now
            progress.acked_round = max(progress.acked_round, reply.round)
            progress.must_compare = reply.verified < self._state.engine.match_index(peer)

    def heartbeat(self, *, wants_reply: bool = True) -> int:
        """Begin a round: a heartbeat to every peer; returns its number."""
        return self._begin_round(self.progress, wants_reply=wants_reply)

    def confirm(self) -> int:
        """Begin a round of a bare majority: those who were heard last, since they will be heard first."""
        asked = self._bare_majority(lambda progress: progress.last_ack)
        return self._begin_round(asked, wants_reply=True)

    def _bare_majority(self, rank: Callable[[Progress], float]) -> list[str]:
        """As many other voters as make a majority with this server: those that rank highest."""
        chosen: list[str] = []
        voters = self.progress.keys() & self._state.configuration.voters
        for peer in sorted(voters, key=lambda peer: (-rank(self.progress[peer]), peer)):
            if self._state.is_quorum(chosen):
                break
            chosen.append(peer)
        return chosen

    def _begin_round(self, peers: Iterable[str], *, wants_reply: bool) -> int:
        state = self._state
        self.round += 1
        beat = Heartbeat(state.engine.term, self.round, state.engine.commit, wants_reply)
        for peer in peers:
            state.outbox.send(peer, beat)
        return self.round

    def acked(self, round_: int) -> list[str]:
        """Peers that have answered this round or a later one."""
        return [peer for peer, progress in self.progress.items() if progress.acked_round >= round_]

    def tick(self) -> None:
        """Heartbeat and probe when due, and send to those who wait."""
        self._is_replication_due |= self._state.now >= self._spread.due_at
        if self._state.now < self.heartbeat_at:
            return
        self.heartbeat_at = self._state.now + self._state.timing.heartbeat_s
        self.heartbeat(wants_reply=self._beat_wants_reply)
        self._beat_wants_reply = not self._beat_wants_reply
        self._probe()
        self._is_replication_due = True

    def _probe(self) -> None:
        engine, journal = self._state.engine, self._state.journal
        for peer, progress in self.progress.items():
            prev = engine.next_index(peer) - 1
            term = journal.term_at(prev)
            # An append may be lost although its entries came another way: unanswered, it would fill the window.
            is_open = engine.match_index(peer) < prev or progress.in_flight or progress.must_compare
            if term is not None and is_open and not progress.has_snapshot_pending:
                self._send(peer, prev, term, [])

    def _send(self, peer: str, prev: int, prev_term: int, entries: list[Entry]) -> None:
        state = self._state
        commit = min(state.engine.commit, state.journal.durable_index)
        sequence = self.progress[peer].sent(entries)
        crc = 0 if state.engine.match_index(peer) else state.journal.checksum_at(prev)
        state.outbox.send(peer, Append(state.engine.term, sequence, prev, prev_term, commit, entries, crc))
