"""A dictionary that lies on another one: the views of thousands of members, which are equal but for a few entries.

What lives here: `Layered`. What does not: whose view lies on which (crowd.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")


class Layered(dict[str, V]):
    """A dict of its own changes to `base`, which nobody may change any more. What is kept is what differs."""

    def __init__(self, base: Mapping[str, V]) -> None:
        super().__init__()
        self._base = base
        self._gone: set[str] = set()
        self._added = 0

    def __missing__(self, key: str) -> V:
        if key in self._gone:
            raise KeyError(key)
        return self._base[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or (key in self._base and key not in self._gone)

    def __setitem__(self, key: str, value: V) -> None:
        if key in self._base:
            self._gone.discard(key)
        elif not dict.__contains__(self, key):
            self._added += 1
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def pop(self, key: str, *default: Any) -> Any:
        """Take a value out."""
        if key not in self:
            if default:
                return default[0]
            raise KeyError(key)
        value = self[key]
        dict.pop(self, key, None)
        if key in self._base:
            self._gone.add(key)
        else:
            self._added -= 1
        return value

    def __len__(self) -> int:
        return len(self._base) - len(self._gone) + self._added

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._base if key not in self._gone)
        yield from (key for key in dict.keys(self) if key not in self._base)

    def values(self) -> Any:
        """All values, in the base's order, what was added last."""
        merged = {**self._base, **dict(dict.items(self))}
        for key in self._gone:
            del merged[key]
        return merged.values()
