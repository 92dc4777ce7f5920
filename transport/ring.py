"""The keys of one server: which it accepts, which it dials with, and how far a rotation to a new one has come.

A rotation has three stages, and a server's ring only ever goes forward through them:

1. *installed*: the server accepts both keys and goes on dialling with the old one;
2. *using*: it accepts both, and dials with the new one;
3. *settled* again: it knows the new key alone, and remembers the old one's fingerprint as retired.

Servers tell each other their whole rings, and each takes what `joined` makes of its own and the other's: the further
of the two. So a ring may be told twice, late, or to a server that is ahead, and whoever missed a stage catches up with
one message. Two rings that do not descend from one another are a conflict, and neither server changes.

What lives here: rings and their order. What does not: telling (actors/keyring), keeping (storage/keyring_file.py), and
sockets (links/).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from transport.errors import KeyFileError
from transport.keys import ClusterKey, parse, to_text

RETIRED_MAX: Final = 16
"""Fingerprints of retired keys that are remembered, the latest."""


class RingConflictError(KeyFileError):
    """Two rings that no single rotation leads between."""


class Stage(StrEnum):
    """How far a rotation has come; `SETTLED` is before and after one."""

    SETTLED = "settled"
    INSTALLED = "installed"
    USING = "using"


class Ring(Struct, frozen=True):
    """What one server holds. `key` is the only one, or during a rotation the old one, and `new` what replaces it."""

    key: ClusterKey
    new: ClusterKey | None = None
    stage: Stage = Stage.SETTLED
    retired: tuple[str, ...] = ()

    @property
    def used(self) -> ClusterKey:
        """The key to dial with."""
        return self.new if self.new is not None and self.stage is Stage.USING else self.key

    @property
    def spare(self) -> ClusterKey | None:
        """The key to dial with where the used one is turned away: a server that was off knows one of the two."""
        return self.key if self.used is self.new else self.new

    @property
    def accepted(self) -> tuple[ClusterKey, ...]:
        """The keys that let in, the used one first."""
        return (self.used, self.spare) if self.spare is not None else (self.used,)

    def installed(self, new: ClusterKey) -> Ring:
        """The first stage of a rotation to `new`; the same ring when it has begun or is over.

        Raises KeyFileError for a key that cannot be rotated to, RingConflictError when another rotation is under way.
        """
        if not new.can_serve:
            raise KeyFileError(
                f"the new key {new.fingerprint} is a client's file: a rotation needs the whole cluster key"
            )
        if new.fingerprint in self.retired:
            raise KeyFileError(
                f"the new key {new.fingerprint} was retired by an earlier rotation; make another with `keys generate`"
            )
        if self.new is None and new == self.key:
            return self
        if self.new is not None and new == self.key:
            raise RingConflictError(f"this server is {self}: the key that is being replaced cannot be rotated to")
        if new.fingerprint == self.key.fingerprint:
            raise KeyFileError(f"the new key has the fingerprint of the old one, {new.fingerprint}: make another")
        return self.joined(Ring(self.key, new, Stage.INSTALLED))

    def at(self, new: ClusterKey, stage: Stage) -> Ring:
        """This ring at a stage of the rotation to `new`, to be offered to others. Raises as `installed` does."""
        begun = self.installed(new)
        if begun.new is None:
            return begun
        if stage is Stage.SETTLED:
            return Ring(new, retired=_latest(self.retired, (self.key.fingerprint,)))
        return replace(begun, stage=stage)

    def joined(self, offered: Ring) -> Ring:
        """The further of two rings. Raises RingConflictError when neither descends from the other."""
        if offered.new is None:
            return self._joined_settled(offered)
        if self.new is None:
            return self._joined_under_way(offered)
        if (self.key, self.new) == (offered.key, offered.new):
            further = offered.stage if self.stage is Stage.INSTALLED else self.stage
            return replace(self, stage=further, retired=_latest(offered.retired, self.retired))
        raise self._conflict(offered)

    def _joined_under_way(self, offered: Ring) -> Ring:
        """`self` is settled, and `offered` is in a rotation."""
        assert offered.new is not None
        if offered.key.fingerprint in self.retired and self.key == offered.new:
            return self  # the other has missed the end of it
        if self.key in (offered.key, offered.new):
            return replace(offered, retired=_latest(self.retired, offered.retired))
        raise self._conflict(offered)

    def _joined_settled(self, offered: Ring) -> Ring:
        """`offered` knows one key: it is before the rotation, or after it, or came back with the new file."""
        retired = _latest(self.retired, offered.retired)
        if offered.key == self.key:
            return replace(self, retired=retired)
        newest = self.new or self.key
        if newest.fingerprint in offered.retired:
            return replace(offered, retired=retired)
        if offered.key.fingerprint in self.retired:
            return self
        if offered.key == self.new:
            ended = self.key.fingerprint in offered.retired
            return replace(offered, retired=retired) if ended else self
        raise self._conflict(offered)

    def _conflict(self, offered: Ring) -> RingConflictError:
        return RingConflictError(
            f"this server is {self}, and cannot go along with one {offered}: finish one rotation first"
        )

    def __str__(self) -> str:
        if self.new is None:
            return f"on key {self.key.fingerprint}"
        return f"rotating from key {self.key.fingerprint} to {self.new.fingerprint}"


def starting_ring(file_key: ClusterKey, kept: Ring | None) -> Ring:
    """What a server begins with: its key file's key, or the ring it kept if the file's key belongs to that.

    A kept ring that has retired the file's key wins: the server was there when the cluster moved on. Any other key in
    the file is somebody's decision, and wins.
    """
    if kept is None:
        return Ring(file_key)
    known = {key.fingerprint for key in kept.accepted} | set(kept.retired)
    return kept if file_key.fingerprint in known else Ring(file_key)


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """A ring as it is kept and sent: whole key files, since there is one parser for those."""

    key: str
    new: str
    stage: Stage
    retired: list[str]


def encode_ring(ring: Ring) -> bytes:
    """The ring as JSON. It holds secrets."""
    new = to_text(ring.new) if ring.new else ""
    return msgspec.json.encode(_Record(to_text(ring.key), new, ring.stage, list(ring.retired)))


def decode_ring(data: bytes, source: str) -> Ring:
    """The ring in what `encode_ring` made; `source` names it in errors. Raises KeyFileError, which shows no secret."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{source} is not a keyring: {error}") from None
    new = parse(record.new.encode(), source) if record.new else None
    ring = Ring(parse(record.key.encode(), source), new, record.stage, tuple(record.retired[-RETIRED_MAX:]))
    if (new is None) is not (ring.stage is Stage.SETTLED) or not all(key.can_serve for key in ring.accepted):
        raise KeyFileError(f"{source} is not a keyring: its keys do not fit its stage")
    return ring


def _latest(earlier: tuple[str, ...], later: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*earlier, *later)))[-RETIRED_MAX:]
