"""The raw engine: PySyncObj 0.3.17 as it comes, with nothing in its way.

What lives here: the engine with its own elections, append handling, commit counting, forwarding, membership entries and
apply loop.  Only what it asks of the world is replaced: sockets, the poller, and the journal's file, which PySyncObj
never syncs.  Its snapshots (pickled dumps in files) are switched off; sessions and linearizable reads it does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

from attrs import frozen
from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf, replicated
from pysyncobj.journal import Journal
from pysyncobj.node import Node
from pysyncobj.poller import Poller
from pysyncobj.transport import Transport

from actors.config import RaftTiming
from storage.kv import KeyValueStore
from storage.log_table import Entry
from tests.simulation.ledger import Effect

Message = dict[str, Any]

_NEVER = 10**9


class NoPoller(Poller):
    """There are no sockets to poll."""

    def subscribe(self, descr: int, callback: Callable[[int, int], None], eventMask: int) -> None:  # noqa: N803
        return None

    def unsubscribe(self, descr: int) -> None:
        return None

    def poll(self, timeout: float) -> None:
        return None


@frozen
class Image:
    """What of a journal is on the disk."""

    entries: Sequence[Entry] = ()
    term: int = 0
    voted_for: str | None = None
    commit: int = 1


class SimJournal(Journal):
    """A journal as PySyncObj keeps it: nothing waits for the disk.  Its commit index is kept once a second."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._entries: list[Entry] = []
        self._term = 0
        self._voted_for: str | None = None
        self._commit = self._saved_commit = 1

    def image(self) -> Image:
        """Everything in it, as it goes to the disk."""
        return Image(self._entries[:], self._term, self._voted_for, self._saved_commit)

    def restore(self, image: Image) -> None:
        """Begin with what is on the disk."""
        self._entries = list(image.entries)
        self._term, self._voted_for = image.term, image.voted_for
        self._commit = self._saved_commit = image.commit

    def add(self, command: bytes, idx: int, term: int) -> None:
        self._entries.append((command, idx, term))
        self._changed()

    def deleteEntriesFrom(self, entryFrom: int) -> None:  # noqa: N802, N803
        del self._entries[entryFrom:]
        self._changed()

    def setCurrentTerm(self, term: int, votedForNodeId: str | None) -> None:  # noqa: N802, N803
        self._term, self._voted_for = term, votedForNodeId
        self._changed()

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:  # noqa: N802, N803
        self._commit = raftCommitIndex

    def onOneSecondTimer(self) -> None:  # noqa: N802
        self._saved_commit = self._commit
        self._changed()

    def getRaftCommitIndex(self) -> int:  # noqa: N802
        return self._saved_commit

    def getCurrentTerm(self) -> int:  # noqa: N802
        return self._term

    def getVotedForNodeId(self) -> str | None:  # noqa: N802
        return self._voted_for

    def _destroy(self) -> None:
        return None

    @overload
    def __getitem__(self, item: int) -> Entry: ...
    @overload
    def __getitem__(self, item: slice) -> list[Entry]: ...
    def __getitem__(self, item: Any) -> Any:
        return self._entries[item]

    def __len__(self) -> int:
        return len(self._entries)


class _Links(Transport):
    """Hands on what the engine sends; addNode and dropNode are told to ``linked``."""

    def __init__(self, send: Callable[[str, Message], None], linked: Callable[[str, bool], None]) -> None:
        self._onMessageReceivedCallback = None
        self._onUtilityMessageCallbacks: dict[str, Any] = {}
        self._send = send
        self._linked = linked

    @property
    def ready(self) -> bool:
        return True

    def send(self, node: Node, message: Message) -> bool:
        self._send(node.id, message)
        return True

    def addNode(self, node: Node) -> None:  # noqa: N802
        self._linked(node.id, True)

    def dropNode(self, node: Node) -> None:  # noqa: N802
        self._linked(node.id, False)


class RawEngine(SyncObj):
    """One server's engine, and the key-value store as its replicated state."""

    def __init__(
        self,
        self_id: str,
        others: Iterable[str],
        timing: RaftTiming,
        send: Callable[[str, Message], None],
        linked: Callable[[str, bool], None],
    ) -> None:
        configuration = SyncObjConf(
            autoTick=False,
            raftMinTimeout=timing.election_min_s,
            raftMaxTimeout=timing.election_max_s,
            appendEntriesPeriod=timing.heartbeat_s,
            dynamicMembershipChange=True,
            logCompactionMinEntries=_NEVER,
            logCompactionMinTime=_NEVER,
            useFork=False,
        )
        self.effects: dict[int, list[Effect]] = {}
        self.store = KeyValueStore()
        links = _Links(send, linked)
        super().__init__(
            Node(self_id), [Node(other) for other in others], configuration, nodeClass=Node, transport=links
        )

    @replicated
    def execute(self, command: bytes) -> bytes:
        """Apply a command everywhere; the result goes to the callback."""
        result = self.store.apply(command)
        # The engine counts an entry as applied when this has returned.
        self.effects.setdefault(self.raftLastApplied + 1, []).append((command, result))
        return result

    # --- what the simulation does to it ---------------------------------------------------------------------------

    def hear(self, peer: str, message: Message) -> None:
        """A message arrives over the connection to a peer, if there is such a connection."""
        node = self._known(peer)
        if node is not None:
            self._SyncObj__onMessageReceived(node, message)

    def connect(self, peer: str, *, is_up: bool) -> None:
        """A connection to a peer is there, or is gone."""
        if not is_up:
            self._SyncObj__onNodeDisconnected(Node(peer))
        elif (node := self._known(peer)) is not None:
            self._SyncObj__onNodeConnected(node)

    def propose(self, command: bytes, answer: Callable[[bytes | None], None]) -> None:
        """Have a command applied; None in the answer: the engine does not say that it was."""
        self.execute(command, callback=lambda result, error: answer(result if error == FAIL_REASON.SUCCESS else None))

    def _known(self, peer: str) -> Node | None:
        return next((node for node in self.otherNodes if node.id == peer), None)

    # --- what the judge sees --------------------------------------------------------------------------------------

    @property
    def log(self) -> list[Entry]:
        """A copy of the log."""
        return self._SyncObj__raftLog[:]

    @property
    def member_ids(self) -> list[str]:
        """This server and its peers, in order."""
        assert self.selfNode is not None
        return sorted([self.selfNode.id, *(node.id for node in self.otherNodes)])
