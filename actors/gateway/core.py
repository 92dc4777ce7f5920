"""The gateway's bookkeeping: events and the time in, effects out.

What lives here: admission, keys, deadlines, who is asked next, and which answer belongs to which request.  What does
not: messages actually sent, timers, and operators' requests (gateway.py and admin.py).

1. A request is answered exactly once, at the latest one tick after its deadline.
2. Commands go to this server's Raft when it leads, else in one hop to the leader's gateway.  Queries go to this
   server's Raft, which asks the leader; only when it cannot, to the leader's gateway.
3. What was certainly not applied is sent again, after a pause or when a leader is known, until the deadline; so is what
   may have been, if it belongs to a session, else it is answered "outcome_unknown".  See calls.py for which is which.
4. Every attempt has keys of its own, and a key is used once: an answer without a request is counted and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from actors.gateway.calls import (
    NO_LEADER,
    OUTCOME_UNKNOWN,
    OVERLOADED,
    TOO_LARGE,
    ClientCall,
    PeerCall,
    Phase,
    parsed,
    refusal,
)
from actors.gateway.effects import Answer, Effect, GatewayStats, ToGateway, ToRaft
from actors.gateway.latency import Histogram
from actors.gateway.messages import Forward, Forwarded
from actors.raft.messages import LeaderChanged, Propose, Read, Results
from transport.client.protocol import LINEARIZABLE, Code, Request

if TYPE_CHECKING:
    from actors.gateway.limits import GatewayLimits
    from actors.runtime.actor import Sender

_BYTES_PER_COMMAND: Final = 16
"""What a command costs in a frame besides itself: its key and lengths."""


class GatewayCore:
    """One incarnation's requests.

    epoch: the boot count of this server; first_key: a value that no earlier incarnation in this process has reached.
    """

    def __init__(self, limits: GatewayLimits, *, epoch: int, first_key: int) -> None:
        self._limits = limits
        self._epoch = epoch
        self._next_key = first_key
        self._by_key: dict[int, ClientCall | PeerCall] = {}
        self._open: dict[ClientCall | PeerCall, None] = {}
        self._ready: list[ClientCall] = []
        self._waiting: dict[ClientCall, None] = {}
        self._pending = 0
        self._pending_bytes = 0
        self._leader = LeaderChanged(term=0, leader="", address="", is_me=False, ready=False)
        self._pause_s = limits.retry_min_s
        self._retry_at = 0.0
        self._proposals: list[tuple[int, bytes]] = []
        self._queries: list[tuple[int, bytes, str]] = []
        self._answers: list[Answer] = []
        self._outgoing: list[ToGateway] = []
        self._verdicts: dict[tuple[str, int], list[tuple[int, str, bytes]]] = {}
        self._watermark = (0, 0)
        # Answers that arrived before the news of a death may still be in the mailbox.
        self._settling_s = 2 * limits.tick_s
        self.stats = GatewayStats()
        self.writes = Histogram()
        self.reads = Histogram()

    @property
    def pending(self) -> int:
        """Commands and queries without an answer."""
        return self._pending

    @property
    def busy(self) -> bool:
        """Whether there is anything a tick could be about."""
        return bool(self._open)

    @property
    def leader(self) -> LeaderChanged:
        """What Raft last said about who leads."""
        return self._leader

    # --- events -----------------------------------------------------------------------------------------------------

    def request(self, now: float, sender: Sender, request: Request) -> None:
        """A client proposes commands or asks a query."""
        self.stats.requests += 1
        try:
            call = parsed(sender, request, now, now + self._clamped_s(request.timeout_ms))
        except ValueError as error:
            self._refuse(sender, request.id, Code.BAD_REQUEST, f"a {request.op} request that does not decode: {error}")
            return
        too_large = call.excess(self._limits.command_bytes_max, self._limits.commands_per_request_max)
        if too_large:
            self._refuse(sender, request.id, TOO_LARGE, too_large)
        elif not self._admits(call.count, call.size):
            self._refuse(sender, request.id, OVERLOADED)
        elif not call.commands:
            self._answers.append(Answer(sender, call.outcome()))
        else:
            self._admit(call, call.count)
            self._ready.append(call)

    def forward(self, now: float, sender: Sender, msg: Forward) -> None:
        """Another gateway takes this server for the leader's.  Raft knows whether it is, and says so."""
        self.stats.forwards += 1
        keys = [key for key, _ in msg.batch]
        size = sum(len(command) for _, command in msg.batch)
        call = PeerCall(sender, msg.epoch, keys, size, now + self._clamped_s(msg.timeout_ms))
        if not self._admits(len(keys), size):
            self.stats.refused += len(keys)
            self._outbox(call).extend((key, OVERLOADED, b"") for key in keys)
        elif keys:
            self._admit(call, len(keys))
            call.base = self._claim_keys(call, len(keys))
            if msg.reads:
                self._queries.extend((call.base + i, query, LINEARIZABLE) for i, (_, query) in enumerate(msg.batch))
            else:
                self._proposals.extend((call.base + i, command) for i, (_, command) in enumerate(msg.batch))

    def results(self, now: float, msg: Results) -> None:
        """This server's Raft answers."""
        self._watermark = (msg.applied, msg.age_ms)
        for key, code, result in msg.batch:
            self._answered(now, key, code, result)

    def forwarded(self, now: float, msg: Forwarded) -> None:
        """The gateway of the leader answers."""
        if msg.epoch != self._epoch:
            self.stats.late_answers += len(msg.results)
            return
        self._watermark = (msg.applied, msg.age_ms)
        for key, code, result in msg.results:
            self._answered(now, key, code, result)

    def refused(self, now: float, keys: Iterable[int], code: str) -> None:
        """What a flush wanted to send was not taken: by Raft's mailbox (overloaded) or by a link (not_leader)."""
        for key in keys:
            self._answered(now, key, code, b"")

    def leader_changed(self, now: float, msg: LeaderChanged) -> None:
        """Raft says who leads.  What is with a former leader gets a last moment; what waits may go."""
        self._leader = msg
        for call in self._sent():
            call.give_up = None if call.leader == msg.leader else now + self._limits.grace_s
        if msg.leader:
            self._pause_s = self._limits.retry_min_s
            self._resume()

    def server_gone(self, now: float, address: str) -> None:
        """Gossip says that a server is dead or has left: what was forwarded to it is not waited for."""
        for call in self._sent():
            if call.phase is Phase.FORWARDED and call.target == address:
                call.give_up = now + self._settling_s

    def raft_died(self, now: float) -> None:
        """This server's Raft died, and with it the answers it owed."""
        for call in self._sent():
            if call.phase is Phase.LOCAL:
                call.give_up = now + self._settling_s

    def tick(self, now: float) -> None:
        """Deadlines, and the end of pauses."""
        for call in list(self._open):
            if isinstance(call, PeerCall):
                # The gateway that forwarded it has the same deadline: nobody is left to hear an answer.
                if now >= call.deadline:
                    self._drop_keys(call.base, len(call.keys))
                    self._close(call, len(call.keys))
            elif now >= call.deadline:
                self._expire(now, call)
            elif call.give_up is not None and now >= call.give_up:
                self._drop_keys(call.base, len(call.todo))
                call.abandon(OUTCOME_UNKNOWN)
                self._decide(now, call)
        if self._waiting and self._leader.leader and now >= self._retry_at:
            self._resume()

    def flush(self, now: float) -> list[Effect]:
        """Everything that the events since the last flush have led to."""
        if self._ready:
            self._dispatch(now)
        effects: list[Effect] = [*self._answers, *self._outgoing]
        if self._proposals:
            effects.append(ToRaft(Propose(self._proposals)))
            self._proposals = []
        if self._queries:
            effects.append(ToRaft(Read(self._queries)))
            self._queries = []
        for (address, epoch), verdicts in self._verdicts.items():
            effects.append(ToGateway(address, Forwarded(epoch, verdicts, *self._watermark)))
        self._answers = []
        self._outgoing = []
        self._verdicts = {}
        return effects

    def _sent(self) -> Iterator[ClientCall]:
        return (call for call in self._open if isinstance(call, ClientCall) and call.phase is not Phase.WAITING)

    # --- sending ----------------------------------------------------------------------------------------------------

    def _dispatch(self, now: float) -> None:
        """Send what is ready to where it belongs."""
        leader = self._leader
        commands = _Bundle(reads=False)
        queries = _Bundle(reads=True)
        for call in self._ready:
            if call not in self._open:
                continue
            if self._is_local(call):
                self._send_local(call)
            elif leader.leader:
                self._send_to_leader(call, queries if call.reads else commands, now)
            else:
                self._wait(now, call)
        self._ready.clear()
        for bundle in (commands, queries):
            self._close_bundle(bundle, now)

    def _is_local(self, call: ClientCall) -> bool:
        if call.reads and call.consistency != LINEARIZABLE:
            return True
        return self._leader.is_me or (call.reads and bool(self._leader.leader) and not call.elsewhere)

    def _send_local(self, call: ClientCall) -> None:
        self._start_attempt(call, Phase.LOCAL)
        if call.reads:
            self._queries.append((call.base, call.commands[0], call.consistency))
        else:
            self._proposals.extend((call.base + i, call.commands[at]) for i, at in enumerate(call.todo))

    def _send_to_leader(self, call: ClientCall, bundle: _Bundle, now: float) -> None:
        self._start_attempt(call, Phase.FORWARDED)
        call.target = self._leader.address
        for i, position in enumerate(call.todo):
            if bundle.size >= self._limits.forward_bytes_max:
                self._close_bundle(bundle, now)
            command = call.commands[position]
            bundle.batch.append((call.base + i, command))
            bundle.size += len(command) + _BYTES_PER_COMMAND
            bundle.deadline = max(bundle.deadline, call.deadline)

    def _close_bundle(self, bundle: _Bundle, now: float) -> None:
        if bundle.batch:
            timeout_ms = max(1, int((bundle.deadline - now) * 1000))
            forward = Forward(self._epoch, bundle.reads, bundle.batch, timeout_ms)
            self._outgoing.append(ToGateway(self._leader.address, forward))
            bundle.batch = []
            bundle.size = 0

    def _start_attempt(self, call: ClientCall, phase: Phase) -> None:
        call.phase = phase
        call.leader = self._leader.leader
        call.outstanding = len(call.todo)
        call.base = self._claim_keys(call, len(call.todo))

    def _claim_keys(self, call: ClientCall | PeerCall, count: int) -> int:
        base = self._next_key
        self._next_key += count
        for key in range(base, self._next_key):
            self._by_key[key] = call
        return base

    def _drop_keys(self, base: int, count: int) -> None:
        for key in range(base, base + count):
            self._by_key.pop(key, None)

    def _wait(self, now: float, call: ClientCall) -> None:
        if now >= self._retry_at:
            self._retry_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, self._limits.retry_max_s)
        self._waiting[call] = None

    def _resume(self) -> None:
        self._ready.extend(self._waiting)
        self._waiting.clear()

    # --- answering --------------------------------------------------------------------------------------------------

    def _answered(self, now: float, key: int, code: str, result: bytes) -> None:
        call = self._by_key.pop(key, None)
        if call is None:
            self.stats.late_answers += 1
        elif isinstance(call, PeerCall):
            self._outbox(call).append((call.keys[key - call.base], code, result))
            call.outstanding -= 1
            if not call.outstanding:
                self._close(call, len(call.keys))
        else:
            call.take(key, code, result)
            if not call.outstanding:
                self._decide(now, call)

    def _decide(self, now: float, call: ClientCall) -> None:
        """An attempt is over: answer the client, or try once more."""
        was_elsewhere = call.elsewhere
        if now < call.deadline and call.again():
            self.stats.retried += 1
            if call.reads and not was_elsewhere:
                self._ready.append(call)
            else:
                self._wait(now, call)
            return
        if call.reads and not call.verdicts:
            call.watermark = self._watermark
        self._finish(now, call)

    def _expire(self, now: float, call: ClientCall) -> None:
        if call.phase is Phase.WAITING:
            self._waiting.pop(call, None)
            call.abandon(NO_LEADER)
        else:
            self._drop_keys(call.base, len(call.todo))
            call.abandon(OUTCOME_UNKNOWN)
        self._finish(now, call)

    def _finish(self, now: float, call: ClientCall) -> None:
        response = call.outcome()
        if response.code == Code.OK:
            (self.reads if call.reads else self.writes).add(now - call.began, call.count)
        if response.code == OUTCOME_UNKNOWN:
            self.stats.unknown_outcomes += 1
        self._answers.append(Answer(call.sender, response))
        self._close(call, call.count)

    def _close(self, call: ClientCall | PeerCall, count: int) -> None:
        del self._open[call]
        self._pending -= count
        self._pending_bytes -= call.size

    def _outbox(self, call: PeerCall) -> list[tuple[int, str, bytes]]:
        return self._verdicts.setdefault((call.sender.address, call.epoch), [])

    # --- admission --------------------------------------------------------------------------------------------------

    def _admits(self, count: int, size: int) -> bool:
        limits = self._limits
        return self._pending + count <= limits.pending_max and self._pending_bytes + size <= limits.pending_bytes_max

    def _admit(self, call: ClientCall | PeerCall, count: int) -> None:
        self._open[call] = None
        self._pending += count
        self._pending_bytes += call.size

    def _refuse(self, sender: Sender, request_id: int, code: str, why: str = "") -> None:
        self.stats.refused += 1
        self._answers.append(Answer(sender, refusal(request_id, code, why)))

    def _clamped_s(self, timeout_ms: int) -> float:
        return min(max(timeout_ms, 1) / 1000, self._limits.timeout_max_s)


class _Bundle:
    """Commands or queries on their way into one frame for the leader."""

    __slots__ = ("batch", "deadline", "reads", "size")

    def __init__(self, *, reads: bool) -> None:
        self.reads = reads
        self.batch: list[tuple[int, bytes]] = []
        self.size = 0
        self.deadline = 0.0
