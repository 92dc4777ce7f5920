"""The key-value store against a dict, over random commands, snapshots and restores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.kv import KeyValueStore
from storage.kv_protocol import (
    Answered,
    Changed,
    Changes,
    Compare,
    Delete,
    Failed,
    Found,
    Get,
    KvResult,
    Page,
    Put,
    cas,
    decode_result,
    delete,
    delete_if,
    get,
    list_keys,
    put,
    put_if,
    put_many,
    txn,
    watch,
)

KEYS = st.text(alphabet="abé", min_size=1, max_size=3)
VALUES = st.binary(max_size=4)
Pairs = dict[str, tuple[bytes, int]]


class StoreLife(RuleBasedStateMachine):
    """The model: a dict of value and revision, as it was at each revision, and the count of changes.

    A second server replays every command.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store, self.replica = KeyValueStore(), KeyValueStore()
        self.model: Pairs = {}
        self.revision = 0
        self.past: list[Pairs] = [{}]
        """The model at each revision."""
        self.frozen: tuple[Iterator[bytes], int] | None = None

    def apply(self, command: bytes) -> KvResult:
        """Both servers must say the same."""
        result = self.store.apply(command)
        assert self.replica.apply(command) == result
        return decode_result(result)

    def expect(self, result: KvResult, key: str, new: bytes | None, code: str) -> None:
        """Change the model as the command should, or expect the failure."""
        if code:
            assert isinstance(result, Failed)
            assert result.code == code
            assert code != "conflict" or result.revision == self.model.get(key, (b"", 0))[1]
            return
        assert result == Changed(self.revision + 1)
        self.change({key: new})

    def change(self, pairs: Mapping[str, bytes | None]) -> None:
        """One more revision; None removes a key."""
        self.revision += 1
        for key, value in pairs.items():
            if value is None:
                del self.model[key]
            else:
                self.model[key] = (value, self.revision)
        self.past.append(dict(self.model))

    @rule(key=KEYS, value=VALUES)
    def put(self, key: str, value: bytes) -> None:
        self.expect(self.apply(put(key, value)), key, value, "")

    @rule(pairs=st.dictionaries(KEYS, VALUES, max_size=4))
    def put_many(self, pairs: dict[str, bytes]) -> None:
        result = self.apply(put_many(pairs))
        if not pairs:
            assert isinstance(result, Failed)
            assert result.code == "bad_request"
            return
        assert result == Changed(self.revision + 1)
        self.change(pairs)

    @rule(key=KEYS, revision=st.integers(0, 9), value=VALUES, other=KEYS)
    def transaction(self, key: str, revision: int, value: bytes, other: str) -> None:
        """Set a key if its revision is what somebody thinks, else remove it and look at another one."""
        command = txn([Compare(key, "revision", "==", revision)], [Put(key, value)], [Get(other), Delete(key)])
        before = self.model.get(other)
        result = self.apply(command)
        if self.model.get(key, (b"", 0))[1] == revision:
            self.change({key: value})
            assert result == Answered(True, self.revision, [None])
            return
        is_there = key in self.model
        if is_there:
            self.change({key: None})
        assert result == Answered(False, self.revision, [Found(other, *before) if before else None, is_there])

    @rule(pairs=st.dictionaries(KEYS, VALUES, max_size=4), at=st.integers(0, 4))
    def put_many_with_a_bad_one(self, pairs: dict[str, bytes], at: int) -> None:
        """All or none: where among the others the bad key is makes no difference."""
        items = list(pairs.items())
        result = self.apply(put_many(dict([*items[:at], ("", b""), *items[at:]])))
        assert isinstance(result, Failed)
        assert result.code == "bad_request"

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.expect(self.apply(delete(key)), key, None, "" if key in self.model else "not_found")

    @rule(key=KEYS, old=st.none() | VALUES, new=VALUES, right=st.booleans())
    def cas(self, key: str, old: bytes | None, new: bytes, right: bool) -> None:
        actual = self.model[key][0] if key in self.model else None
        expected = actual if right else old
        self.expect(self.apply(cas(key, expected, new)), key, new, "" if expected == actual else "conflict")

    @rule(key=KEYS, value=VALUES, revision=st.integers(0, 50), right=st.booleans())
    def put_if(self, key: str, value: bytes, revision: int, right: bool) -> None:
        actual = self.model.get(key, (b"", 0))[1]
        expected = actual if right else revision
        self.expect(self.apply(put_if(key, value, expected)), key, value, "" if expected == actual else "conflict")

    @rule(key=KEYS, revision=st.integers(0, 50), right=st.booleans())
    def delete_if(self, key: str, revision: int, right: bool) -> None:
        actual = self.model.get(key, (b"", 0))[1]
        expected = actual if right else revision
        code = "not_found" if not actual else "" if expected == actual else "conflict"
        self.expect(self.apply(delete_if(key, expected)), key, None, code)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        result = decode_result(self.store.read(get(key)))
        if key in self.model:
            assert result == Found(key, *self.model[key])
        else:
            assert isinstance(result, Failed)
            assert result.code == "not_found"

    @rule(prefix=st.text(alphabet="abé", max_size=2), start=KEYS, limit=st.integers(1, 9))
    def list_keys(self, prefix: str, start: str, limit: int) -> None:
        expected = [
            Found(key, *pair) for key, pair in sorted(self.model.items()) if key.startswith(prefix) and key >= start
        ]
        following = expected[limit].key if len(expected) > limit else ""
        page = decode_result(self.store.read(list_keys(prefix, start, limit)))
        assert page == Page(expected[:limit], following, self.revision)

    @rule(key=KEYS, ago=st.integers(0, 30))
    def look_back(self, key: str, ago: int) -> None:
        """A key and a page as they were; a read at revision 0 means now."""
        then = max(self.revision - ago, 1)
        if then > self.revision:
            return
        past = self.past[then]
        result = decode_result(self.store.read(get(key, then)))
        assert result == Found(key, *past[key]) if key in past else isinstance(result, Failed)
        page = decode_result(self.replica.read(list_keys(revision=then)))
        assert page == Page([Found(name, *pair) for name, pair in sorted(past.items())], "", then)

    @rule(prefix=st.text(alphabet="abé", max_size=2), ago=st.integers(0, 30))
    def catch_up(self, prefix: str, ago: int) -> None:
        """Who had the keys of a revision, and is told of the changes since, has those of today."""
        then = max(self.revision - ago, 0)
        changes = decode_result(self.store.read(watch(prefix, then, is_prefix=True)))
        assert isinstance(changes, Changes)
        assert changes.revision == self.revision
        known = {key: pair for key, pair in self.past[then].items() if key.startswith(prefix)}
        told = then
        for one in changes.changes:
            assert one.revision >= told
            told = one.revision
            if one.value is None:
                del known[one.key]
            else:
                known[one.key] = (one.value, one.revision)
        assert known == {key: pair for key, pair in self.model.items() if key.startswith(prefix)}

    @rule()
    def begin_a_snapshot(self) -> None:
        self.frozen = (iter(self.store.snapshot()), self.revision)

    @precondition(lambda self: self.frozen)
    @rule()
    def restore_the_snapshot(self) -> None:
        """One server goes back to it, and the other takes a snapshot of that one."""
        assert self.frozen is not None
        chunks, self.revision = self.frozen
        self.frozen = None
        del self.past[self.revision + 1 :]
        self.model = dict(self.past[-1])
        self.store.restore(chunks)
        self.replica.restore(self.store.snapshot())

    @invariant()
    def the_counts_agree(self) -> None:
        assert (len(self.store), self.store.revision) == (len(self.model), self.revision)


StoreLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestStoreLife = StoreLife.TestCase
