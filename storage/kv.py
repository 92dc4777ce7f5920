"""The key-value store: what its commands and queries do.

Here: `KeyValueStore`. Not here: the messages and their limits (kv_protocol.py), what is kept of a key (record.py), past
changes (history.py), the bytes of a snapshot (kv_snapshot.py), replication, sessions.

Nothing here raises for what is in a command: malformed bytes, an oversized value, a lost race are `Failed` results, the
same ones on every server.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from operator import eq, gt, itemgetter, lt, ne
from typing import Any, Final

from storage.history import History
from storage.kv_faults import no_lease, not_found, put_fault, puts_fault, shown, txn_fault
from storage.kv_protocol import (
    LIST_BYTES_MAX,
    LIST_LIMIT_MAX,
    UNDECODABLE,
    Answered,
    Cas,
    Change,
    Changed,
    Changes,
    Command,
    Compare,
    Delete,
    DeleteIf,
    Failed,
    Found,
    Get,
    Grant,
    KvResult,
    Leased,
    LeaseOf,
    List,
    Op,
    Page,
    Put,
    PutIf,
    PutMany,
    Query,
    Renew,
    Revoke,
    Txn,
    Watch,
    decode_command,
    decode_query,
    encode,
)
from storage.kv_snapshot import LeasesSaved, read_snapshot, write_snapshot
from storage.leases import LEASES_MAX, TTL_MAX_MS, TTL_MIN_MS, Lease, Leases
from storage.record import change, found, head_of, revision_of, value_of
from storage.sorted_map import SortedMap
from storage.state_machine import StateMachine

_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {"==": eq, "!=": ne, "<": lt, ">": gt}
_key = itemgetter(0)


class KeyValueStore(StateMachine):
    """The store."""

    def __init__(self) -> None:
        self._revision = 0
        self._records = SortedMap()
        self._history = History()
        self._leases = Leases()
        self.time_ms = 0
        self._handlers: dict[type, Callable[[Any], KvResult]] = {
            Put: self._put,
            PutMany: self._put_many,
            Delete: self._delete,
            Cas: self._cas,
            PutIf: self._put_if,
            DeleteIf: self._delete_if,
            Txn: self._txn,
            Grant: self._grant,
            Renew: self._renew,
            Revoke: self._revoke,
            LeaseOf: self._lease_of,
            Get: self._get,
            List: self._list,
            Watch: self._watch,
        }

    def __len__(self) -> int:
        return len(self._records)

    @property
    def revision(self) -> int:
        """How many changes there were."""
        return self._revision

    def apply(self, command: bytes) -> bytes:
        """The result of a command, encoded."""
        return self._answer(decode_command, command)

    def advance(self, time_ms: int) -> None:
        """It is so late by the log: what has ended by now goes."""
        self.time_ms = time_ms
        for lease in self._leases.ended(time_ms):
            self._end(lease)

    @property
    def next_end_ms(self) -> int | None:
        """When the next lease ends, by the log's time."""
        return self._leases.next_end_ms

    def read(self, query: bytes) -> bytes:
        """The result of a query, encoded."""
        return self._answer(decode_query, query)

    def snapshot(self) -> Iterable[bytes]:
        """All keys, values and revisions as of now, and the last changes."""
        leases = LeasesSaved(self.time_ms, self._leases.last_id, self._leases.rows())
        return write_snapshot(self._revision, len(self._records), self._records.freeze(), self._history.tail(), leases)

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replace everything. Raises BadSnapshotError."""
        self._revision, self._records, self._history, saved = read_snapshot(chunks)
        self.time_ms, self._leases = saved.time_ms, Leases(saved.last_id, saved.rows)

    def _answer(self, decode: Callable[[bytes], Command | Query], data: bytes) -> bytes:
        try:
            request = decode(data)
        except UNDECODABLE as error:
            return encode(Failed("bad_request", f"not a command of the key-value store: {error}"))
        return encode(self._handlers[type(request)](request))

    # --- commands -------------------------------------------------------------------------------------------------

    def _put(self, command: Put) -> KvResult:
        key, lease = command.key, command.lease
        fault = put_fault(key, command.value) or (self._lease_fault(command) if lease else None)
        return fault or self._set(key, command.value, lease)

    def _put_many(self, command: PutMany) -> KvResult:
        keys = command.keys
        fault = puts_fault(keys, command.values)
        if fault:
            return fault
        self._revision += 1
        head = head_of(self._revision)
        records = [head + value for value in command.values]
        self._history.add_all(self._revision, keys, self._records.put_all(keys, records), records)
        self._leases.detach_all(keys)
        return Changed(self._revision)

    def _delete(self, command: Delete) -> KvResult:
        return self._remove(command.key, self._revision + 1)

    def _cas(self, command: Cas) -> KvResult:
        fault = put_fault(command.key, command.new)
        if fault:
            return fault
        record = self._records.get(command.key)
        if (None if record is None else value_of(record)) != command.old:
            wanted = "it exists already" if command.old is None else "its value is another one"
            return self._conflict(command.key, wanted if record else "it does not exist")
        return self._set(command.key, command.new)

    def _put_if(self, command: PutIf) -> KvResult:
        fault = put_fault(command.key, command.value)
        if fault:
            return fault
        revision = revision_of(self._records.get(command.key))
        if revision != command.revision:
            return self._conflict(command.key, f"its revision is {revision}, not {command.revision}")
        return self._set(command.key, command.value)

    def _delete_if(self, command: DeleteIf) -> KvResult:
        revision = revision_of(self._records.get(command.key))
        if revision and revision != command.revision:
            return self._conflict(command.key, f"its revision is {revision}, not {command.revision}")
        return self._remove(command.key, self._revision + 1)

    def _txn(self, command: Txn) -> KvResult:
        fault = txn_fault(command) or next(filter(None, map(self._lease_fault, command.then + command.otherwise)), None)
        if fault:
            return fault
        succeeded = all(map(self._holds, command.when))
        results = self._carry_out(command.then if succeeded else command.otherwise)
        return Answered(succeeded, self._revision, results)

    def _holds(self, compare: Compare) -> bool:
        record = self._records.get(compare.key)
        if compare.of == "revision":
            return _TESTS[compare.test](revision_of(record), compare.operand)
        if record is None:
            return compare.test == "!="
        return _TESTS[compare.test](value_of(record), compare.operand)

    def _carry_out(self, ops: Sequence[Op]) -> list[Found | bool | None]:
        results: list[Found | bool | None] = []
        revision = self._revision + 1
        head = head_of(revision)
        records, add, attach = self._records, self._history.add, self._leases.attach
        for op in ops:
            key = op.key
            if type(op) is Put:
                record = head + op.value
                add(revision, key, records.put(key, record), record)
                attach(key, op.lease)
                self._revision = revision
                results.append(None)
            elif type(op) is Get:
                present = records.get(key)
                results.append(None if present is None else found(key, present))
            else:
                results.append(isinstance(self._remove(key, revision), Changed))
        return results

    def _set(self, key: str, value: bytes, lease: int = 0) -> KvResult:
        self._revision += 1
        record = head_of(self._revision) + value
        self._history.add(self._revision, key, self._records.put(key, record), record)
        self._leases.attach(key, lease)
        return Changed(self._revision)

    def _remove(self, key: str, revision: int) -> KvResult:
        before = self._records.delete(key)
        if before is None:
            return not_found(key)
        self._revision = revision
        self._history.add(revision, key, before, None)
        self._leases.detach(key)
        return Changed(revision)

    # --- leases ---------------------------------------------------------------------------------------------------

    def _grant(self, command: Grant) -> KvResult:
        if not TTL_MIN_MS <= command.ttl_ms <= TTL_MAX_MS:
            return Failed("bad_request", f"a lease of {command.ttl_ms} ms; {TTL_MIN_MS} to {TTL_MAX_MS} can be had")
        if len(self._leases) >= LEASES_MAX:
            return Failed("too_large", f"there are {LEASES_MAX} leases, which is the limit")
        return self._leased(self._leases.grant(command.ttl_ms, self.time_ms))

    def _renew(self, command: Renew) -> KvResult:
        lease = self._leases.get(command.lease)
        if lease is None:
            return no_lease(command.lease)
        self._leases.renew(lease, self.time_ms)
        return self._leased(lease)

    def _revoke(self, command: Revoke) -> KvResult:
        lease = self._leases.get(command.lease)
        if lease is None:
            return no_lease(command.lease)
        self._end(lease)
        return Changed(self._revision)

    def _lease_of(self, query: LeaseOf) -> KvResult:
        lease = self._leases.get(query.lease)
        return no_lease(query.lease) if lease is None else self._leased(lease)

    def _leased(self, lease: Lease) -> KvResult:
        return Leased(lease.id, lease.ttl_ms, max(0, lease.ends_ms - self.time_ms), len(lease.keys))

    def _lease_fault(self, op: Op) -> Failed | None:
        if type(op) is Put and op.lease and self._leases.get(op.lease) is None:
            return no_lease(op.lease)
        return None

    def _end(self, lease: Lease) -> None:
        """Its keys go together, at one revision."""
        revision = self._revision + 1
        for key in self._leases.remove(lease):
            self._remove(key, revision)

    # --- messages -------------------------------------------------------------------------------------------------

    def _conflict(self, key: str, why: str) -> KvResult:
        revision = revision_of(self._records.get(key))
        return Failed("conflict", f"key {shown(key)} was not changed: {why}", revision)

    # --- queries --------------------------------------------------------------------------------------------------

    def _get(self, query: Get) -> KvResult:
        if query.revision:
            fault = self._time_fault(query.revision)
            if fault:
                return fault
            record = next(
                (one.before for one in self._history.after(query.revision) if one.key == query.key),
                self._records.get(query.key),
            )
        else:
            record = self._records.get(query.key)
        return not_found(query.key) if record is None else found(query.key, record)

    def _list(self, query: List) -> KvResult:
        if query.limit < 1:
            return Failed("bad_request", f"a page of {query.limit} keys; ask for 1 to {LIST_LIMIT_MAX}")
        fault = self._time_fault(query.revision) if query.revision else None
        if fault:
            return fault
        items: list[Found] = []
        size, following = 0, ""
        for key, record in self._pairs(max(query.prefix, query.start), query.revision):
            if not key.startswith(query.prefix):
                break
            if len(items) >= min(query.limit, LIST_LIMIT_MAX) or size >= LIST_BYTES_MAX:
                following = key
                break
            items.append(found(key, record))
            size += len(key) + len(record)
        return Page(items, following, query.revision or self._revision)

    def _pairs(self, start: str, revision: int) -> Iterator[tuple[str, bytes]]:
        """The pairs from a key on, in order, as they were at a revision."""
        pairs = self._records.pairs_from(start)
        undone = self._history.undone(revision) if revision else {}
        if not undone:
            return pairs
        unchanged = (pair for pair in pairs if pair[0] not in undone)
        past = [(key, record) for key, record in sorted(undone.items()) if record is not None and key >= start]
        return merge(unchanged, past, key=_key)

    def _watch(self, query: Watch) -> KvResult:
        fault = self._past_fault(query.after)
        if fault:
            return fault
        changes: list[Change] = []
        size = 0
        for one in self._history.after(query.after):
            if size >= LIST_BYTES_MAX and one.revision != changes[-1].revision:
                return Changes(changes, changes[-1].revision)
            if one.key.startswith(query.key) if query.is_prefix else one.key == query.key:
                changes.append(change(one.key, one.revision, one.after))
                size += len(one.key) + len(one.after or b"")
        # A server that has not come as far yet has nothing to say of what is after that.
        return Changes(changes, max(self._revision, query.after))

    def _time_fault(self, revision: int) -> Failed | None:
        if revision > self._revision:
            return Failed("bad_request", f"revision {revision} is not reached yet; the last is {self._revision}")
        return self._past_fault(revision)

    def _past_fault(self, revision: int) -> Failed | None:
        floor = self._history.floor
        if revision >= floor:
            return None
        return Failed("compacted", f"what was before revision {floor} is not known any more; start again there", floor)
