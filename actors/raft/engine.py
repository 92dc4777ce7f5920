"""PySyncObj 0.3.17 as an engine: every private name of it that Quorate relies on stands in this file.

What lives here: a subclass that gives the engine our journal and a transport that only collects, and that names what
the guard does to it.  What does not: any decision.  The guard (actors/raft/core.py) decides what reaches the engine;
raw, it loses acknowledged writes (docs/design.md holds the table of measured faults).

What is the engine's: the log with its terms, nextIndex and matchIndex, elections with the counting of votes, the no-op
of a new leader, a follower's taking of entries.  What is switched off: its timers (never due), its threads, its
sockets, its pickled dumps, its membership entries, its apply loop, its forwarding, and two things that took more
steering than they saved code, and a quarter of a lone write's time: its sending of entries, against which the guard
held a send window and whose messages it took apart again; and its counting of acknowledgements, which counts this
server for what its disk does not have, so that every count was taken back and cut.

Private names, each with its reason:

=============================  =======================================================================================
``createJournal``              the journal cannot be injected; the module's name is replaced while the engine is built
``__applyLogEntries``          overridden: it would apply all there is in one tick, unpickling every command (row 18)
``__tryLogCompaction``         overridden: it would pickle a dump; snapshots are ours (rows 16, 17)
``__onMessageReceived``        the engine's front door, behind the guard
``__sendAppendEntries``        overridden: it has no send window (rows 3 and 4); the leader sends (leader.py)
``__raftElectionDeadline``     long past, it makes the next tick an election; else never (row 9)
``__newAppendEntriesTime``     never, so that a tick sends nothing on the engine's timer
``__setCurrentTerm``           a term learned from a frame that the engine does not see (row 2)
``__setState``, ``__raftLeader``  stepping down and following without an AppendEntries (rows 1, 10)
``__raftState``, ``__raftCurrentTerm``, ``__votedForNodeId``  read: what it is and whom it voted for
``__raftCommitIndex``          a commit index learned by heartbeat; a leader's clamp to what is durable (row 22)
``__raftNextIndex``, ``__raftMatchIndex``, ``__lastResponseTime``  per peer; set when peers change, kept from going
                               back (row 3)
``__otherNodes``, ``__readonlyNodes``  the other voters and the standbys
``__connectedNodes``           the engine stands for election only when it is connected
``__onReadonlyNodeConnected``, ``__onReadonlyNodeDisconnected``  standbys come and go (row 15)
=============================  =======================================================================================
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from pysyncobj import syncobj
from pysyncobj.config import SyncObjConf
from pysyncobj.node import Node
from pysyncobj.poller import Poller
from pysyncobj.syncobj import SyncObj
from pysyncobj.transport import Transport

from actors.raft.journal import Journal

ENGINE_VERSION: Final = "0.3.17"
_NEVER_S: Final = 1e12
_FOLLOWER, _CANDIDATE, _LEADER = 0, 1, 2
_ROLES = {_FOLLOWER: "follower", _CANDIDATE: "candidate", _LEADER: "leader"}

Message = dict[str, Any]
Deliver = Callable[[str, Message], None]


class _NoPoller(Poller):
    """The engine polls no sockets; it has none."""

    def subscribe(self, descr: int, callback: Callable[[int, int], None], eventMask: int) -> None:
        return None

    def unsubscribe(self, descr: int) -> None:
        return None

    def poll(self, timeout: float) -> None:
        return None


class _Peer(Node):
    """Another server.  There is one object of each, so it is its own key: PySyncObj hashes the id at every look-up."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


class _Collector(Transport):
    """Hands what the engine sends to the guard, and reports itself always ready."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._onMessageReceivedCallback = None
        self._onUtilityMessageCallbacks: dict[str, Any] = {}

    @property
    def ready(self) -> bool:
        return True

    def send(self, node: Node, message: Message) -> bool:
        self._deliver(node.id, message)
        return True


def _configuration() -> SyncObjConf:
    return SyncObjConf(
        autoTick=False,
        raftMinTimeout=_NEVER_S,
        raftMaxTimeout=2 * _NEVER_S,
        connectionTimeout=2 * _NEVER_S,
        leaderFallbackTimeout=_NEVER_S,
        appendEntriesPeriod=_NEVER_S / 10,
        appendEntriesUseBatch=True,
        dynamicMembershipChange=False,
        fullDumpFile=None,
        journalFile=None,
        useFork=False,
    )


class Engine(SyncObj):
    """The engine, driven by the guard; it acts only inside a call and reads no clock that matters."""

    def __init__(self, self_id: str, journal: Journal, deliver: Deliver) -> None:
        """``deliver(peer_id, message)`` is called for each message the engine sends."""
        original = syncobj.createJournal
        syncobj.createJournal = lambda journalFile=None: journal
        try:
            super().__init__(Node(self_id), (), _configuration(), transport=_Collector(deliver))
        finally:
            syncobj.createJournal = original
        self._poller = _NoPoller()
        self._peers: dict[str, Node] = {}
        self._journal = journal

    # --- overridden -----------------------------------------------------------------------------------------------

    def _SyncObj__applyLogEntries(self) -> bool:
        return False

    def _SyncObj__tryLogCompaction(self) -> None:
        return None

    def _SyncObj__sendAppendEntries(self) -> None:
        return None

    # --- what it says of itself -----------------------------------------------------------------------------------

    @property
    def role(self) -> str:
        """``follower``, ``candidate`` or ``leader``."""
        return _ROLES[self._SyncObj__raftState]

    @property
    def is_leader(self) -> bool:
        """Whether this server leads in ``term``."""
        return self._SyncObj__raftState == _LEADER

    @property
    def term(self) -> int:
        """The current term."""
        return self._SyncObj__raftCurrentTerm

    @property
    def voted_for(self) -> str | None:
        """Whom this server voted for in ``term``."""
        return self._SyncObj__votedForNodeId

    @property
    def commit(self) -> int:
        """The commit index."""
        return self._SyncObj__raftCommitIndex

    def next_index(self, peer: str) -> int:
        """The index of the next entry to send to a peer."""
        return self._SyncObj__raftNextIndex[self._node(peer)]

    def match_index(self, peer: str) -> int:
        """The last index that a peer is known to have on disk."""
        return self._SyncObj__raftMatchIndex[self._node(peer)]

    # --- what the guard does to it --------------------------------------------------------------------------------

    def receive(self, peer: str, message: Message) -> None:
        """Let a message through."""
        self._SyncObj__onMessageReceived(self._node(peer), message)

    def append(self, data: bytes) -> None:
        """As leader, put an entry at the end of the log."""
        self._journal.add(data, self._journal.last_index + 1, self.term)

    def sent(self, peer: str, last: int) -> None:
        """A peer was sent the entries up to ``last``."""
        self._SyncObj__raftNextIndex[self._node(peer)] = last + 1

    def count(self) -> None:
        """As leader, move the commit index over what a majority has, this server's own disk among them.

        Only an entry of this term is committed by counting; those before it are then, too (Raft §5.4.2).
        """
        matches = sorted(self._SyncObj__raftMatchIndex[node] for node in self._SyncObj__otherNodes)
        # With this server's own disk, half of the others, rounded up, make a majority.
        others = matches[len(matches) // 2] if matches else self._journal.last_index
        index = min(others, self._journal.durable_index)
        if index > self.commit and self._journal.term_at(index) == self.term:
            self._set_commit(index)

    def campaign(self) -> None:
        """Stand for election in the next term: vote for itself and ask every other voter."""
        self._SyncObj__newAppendEntriesTime = _NEVER_S
        self._SyncObj__connectedNodes.update(self._SyncObj__otherNodes)
        self._SyncObj__raftElectionDeadline = -_NEVER_S
        before = self.commit
        self.doTick(0.0)
        self._SyncObj__raftElectionDeadline = 2 * _NEVER_S
        self._set_commit(before)

    def step_down(self, term: int) -> None:
        """Become a follower that knows no leader, in ``term`` if that is newer."""
        if term > self.term:
            self._SyncObj__setCurrentTerm(term, None)
        self._SyncObj__setState(_FOLLOWER)
        self._SyncObj__raftLeader = None

    def follow(self, leader: str) -> None:
        """Take ``leader`` as the leader of the current term."""
        self._SyncObj__setState(_FOLLOWER)
        self._SyncObj__raftLeader = self._node(leader)

    def learn_commit(self, index: int) -> None:
        """As follower, take a commit index that the leader has vouched for; it never goes back."""
        if index > self.commit:
            self._set_commit(index)

    def acknowledge(self, peer: str, match: int) -> None:
        """A peer has everything up to ``match`` on disk."""
        node = self._node(peer)
        following, matches = self._SyncObj__raftNextIndex, self._SyncObj__raftMatchIndex
        matches[node] = max(matches[node], match)
        following[node] = max(following[node], match + 1)

    def forget(self, peer: str, match: int) -> None:
        """A peer has no more than everything up to ``match``, whatever it has acknowledged."""
        self._SyncObj__raftMatchIndex[self._node(peer)] = match

    def rewind(self, peer: str, next_index: int) -> None:
        """Send again from ``next_index``, but never what the peer is known to have."""
        node = self._node(peer)
        self._SyncObj__raftNextIndex[node] = max(next_index, self._SyncObj__raftMatchIndex[node] + 1)

    def reconfigure(self, voters: Iterable[str], standbys: Iterable[str]) -> None:
        """Replicate to these peers and count these voters (this server itself in neither)."""
        wanted_voters = {self._node(peer) for peer in voters}
        wanted_standbys = {self._node(peer) for peer in standbys}
        others, readonly = self._SyncObj__otherNodes, self._SyncObj__readonlyNodes
        kept = {
            node: (self._SyncObj__raftNextIndex[node], self._SyncObj__raftMatchIndex[node])
            for node in (others | readonly) & (wanted_voters | wanted_standbys)
        }
        # As standby it goes before it comes as voter: the other order raises KeyError in every tick (row 15).
        for node in (readonly - wanted_standbys) | (others - wanted_voters):
            others.discard(node)
            self._SyncObj__lastResponseTime.pop(node, None)
            self._SyncObj__onReadonlyNodeDisconnected(node)
        for node in wanted_standbys - readonly:
            self._SyncObj__onReadonlyNodeConnected(node)
        others |= wanted_voters
        for node in wanted_voters | wanted_standbys:
            following, match = kept.get(node, (self._journal.last_index + 1, 0))
            self._SyncObj__raftNextIndex[node] = following
            self._SyncObj__raftMatchIndex[node] = match
            self._SyncObj__lastResponseTime[node] = 0.0

    def restart_at(self, index: int) -> None:
        """Take a snapshot's index as committed."""
        self._set_commit(index)

    def _set_commit(self, index: int) -> None:
        self._SyncObj__raftCommitIndex = index
        self._journal.setRaftCommitIndex(index)

    def _node(self, peer: str) -> Node:
        node = self._peers.get(peer)
        if node is None:
            node = self._peers[peer] = _Peer(peer)
        return node
