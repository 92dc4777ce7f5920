"""The key-value store against a dict, over random commands, snapshots and restores."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.kv import (
    Changed,
    Failed,
    Found,
    KeyValueStore,
    KvResult,
    Page,
    cas,
    decode_result,
    delete,
    delete_if,
    get,
    list_keys,
    put,
    put_if,
    put_many,
)

KEYS = st.text(alphabet="abé", min_size=1, max_size=3)
VALUES = st.binary(max_size=4)
Pairs = dict[str, tuple[bytes, int]]


class StoreLife(RuleBasedStateMachine):
    """The model: a dict of value and revision, and the count of changes. A second server replays every command."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.replica = KeyValueStore(), KeyValueStore()
        self.model: Pairs = {}
        self.revision = 0
        self.frozen: tuple[Iterator[bytes], Pairs, int] | None = None

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
        self.revision += 1
        assert result == Changed(self.revision)
        if new is None:
            del self.model[key]
        else:
            self.model[key] = (new, self.revision)

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
        self.revision += 1
        assert result == Changed(self.revision)
        self.model |= {key: (value, self.revision) for key, value in pairs.items()}

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

    @rule()
    def begin_a_snapshot(self) -> None:
        self.frozen = (iter(self.store.snapshot()), dict(self.model), self.revision)

    @precondition(lambda self: self.frozen)
    @rule()
    def restore_the_snapshot(self) -> None:
        """One server goes back to it, and the other takes a snapshot of that one."""
        assert self.frozen is not None
        chunks, self.model, self.revision = self.frozen
        self.frozen = None
        self.store.restore(chunks)
        self.replica.restore(self.store.snapshot())

    @invariant()
    def the_counts_agree(self) -> None:
        assert (len(self.store), self.store.revision) == (len(self.model), self.revision)


StoreLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestStoreLife = StoreLife.TestCase
