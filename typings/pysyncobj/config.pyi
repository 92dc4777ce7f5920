from collections.abc import Callable

class FAIL_REASON:
    SUCCESS: int
    QUEUE_FULL: int
    MISSING_LEADER: int
    DISCARDED: int
    NOT_LEADER: int
    LEADER_CHANGED: int
    REQUEST_DENIED: int
    UNKNOWN_OUTCOME: int

class SyncObjConf:
    autoTick: bool
    raftMinTimeout: float
    raftMaxTimeout: float
    appendEntriesPeriod: float
    connectionTimeout: float
    leaderFallbackTimeout: float
    appendEntriesUseBatch: bool
    appendEntriesBatchSizeBytes: int
    logCompactionMinEntries: int
    logCompactionMinTime: float
    fullDumpFile: str | None
    journalFile: str | None
    dynamicMembershipChange: bool
    onStateChanged: Callable[[int, int], None] | None
    def __init__(
        self,
        *,
        autoTick: bool = ...,
        autoTickPeriod: float = ...,
        commandsQueueSize: int = ...,
        raftMinTimeout: float = ...,
        raftMaxTimeout: float = ...,
        appendEntriesPeriod: float = ...,
        connectionTimeout: float = ...,
        connectionRetryTime: float = ...,
        leaderFallbackTimeout: float = ...,
        appendEntriesUseBatch: bool = ...,
        appendEntriesBatchSizeBytes: int = ...,
        dnsCacheTime: float = ...,
        dnsFailCacheTime: float = ...,
        logCompactionMinEntries: int = ...,
        logCompactionMinTime: float = ...,
        logCompactionSplit: bool = ...,
        logCompactionBatchSize: int = ...,
        commandsWaitLeader: bool = ...,
        fullDumpFile: str | None = ...,
        journalFile: str | None = ...,
        onReady: Callable[[], None] | None = ...,
        onStateChanged: Callable[[int, int], None] | None = ...,
        dynamicMembershipChange: bool = ...,
        pollerType: str = ...,
        useFork: bool = ...,
    ) -> None: ...
    def validate(self) -> None: ...
