"""The cluster key: a file that says who is a server and who is a client.

It holds two CURVE key pairs. All servers share the server pair, as listeners and as dialers: holding it *is* being a
server. Clients share the client pair, which servers recognise and which cannot speak as a server. A client's file
holds the client pair and the servers' public key only.

Who may do what with which key is decided in zap.py and links/listener.py.
"""

from __future__ import annotations

import logging
import os
import stat
import tomllib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import zmq
from attrs import field, frozen
from msgspec import Struct

from transport.errors import KeyFileError, KeySaveError

_log = logging.getLogger("quorate.keys")

_Z85_KEY_CHARS = 40
_FILE_BYTES_MAX = 64 * 1024
_SERVER = "server"
_CLIENT = "client"


@frozen
class KeyPair:
    """A CURVE key pair in Z85 text form, as ZeroMQ takes it."""

    public: bytes
    secret: bytes = field(repr=False)


class ClusterKey(Struct, frozen=True):
    """What a key file holds. `server` is None in a client's file."""

    server_public: bytes
    client: KeyPair
    server: KeyPair | None = None

    @property
    def can_serve(self) -> bool:
        """Whether the holder is a server."""
        return self.server is not None

    @property
    def fingerprint(self) -> str:
        """A short name of the cluster key, the same in its clients' files; safe to show."""
        return sha256(self.server_public).hexdigest()[:16]


def generate() -> str:
    """The text of a new cluster key file."""
    server, client = (KeyPair(*zmq.curve_keypair()) for _ in range(2))
    return to_text(ClusterKey(server.public, client, server))


def client_only(key: ClusterKey) -> str:
    """The text of a client's key file for the cluster of `key`."""
    return to_text(ClusterKey(key.server_public, key.client))


def to_text(key: ClusterKey) -> str:
    """The key as its file has it."""
    who = "a server of the cluster" if key.server else "a client of the cluster, and cannot be a server"
    lines = [f"# Quorate key {key.fingerprint}. Keep it secret: whoever holds this file is {who}.", "", f"[{_SERVER}]"]
    lines += _pair_lines(key.server_public, key.server)
    lines += ["", f"[{_CLIENT}]", *_pair_lines(key.client.public, key.client), ""]
    return "\n".join(lines)


def _pair_lines(public: bytes, pair: KeyPair | None) -> list[str]:
    # Z85 has neither quotes nor backslashes: nothing in a key needs escaping in TOML.
    lines = [f'public = "{public.decode()}"']
    return [*lines, f'secret = "{pair.secret.decode()}"'] if pair else lines


def load(path: str | Path) -> ClusterKey:
    """The key in a file. Raises KeyFileError, which names the file, says what is wrong and what to try.

    A file that other users can read is used, with a warning: mounted secrets often are.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileError(
            f"key file {path} cannot be read ({error.strerror}); `quorate keys generate` makes one"
        ) from error
    if len(data) > _FILE_BYTES_MAX:
        raise KeyFileError(f"{path} is not a key file: it is larger than {_FILE_BYTES_MAX} bytes")
    key = parse(data, str(path))
    # Not before: to close another file, /etc/passwd say, would be bad advice.
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        _log.warning("key file %s is open to other users; chmod 600 %s", path, path)
    return key


def parse(data: bytes, source: str) -> ClusterKey:
    """The key in a file's content; `source` names the file in errors. Raises KeyFileError."""
    try:
        tables = tomllib.loads(data.decode())
    except ValueError as error:
        raise KeyFileError(f"{source} is not a key file: {error}") from error
    server_public = _key(tables, _SERVER, "public", source)
    client = _pair(tables, _CLIENT, source)
    server = _pair(tables, _SERVER, source) if "secret" in tables[_SERVER] else None
    return ClusterKey(server_public, client, server)


def _pair(tables: dict[str, Any], table: str, source: str) -> KeyPair:
    pair = KeyPair(_key(tables, table, "public", source), _key(tables, table, "secret", source))
    try:
        matches = zmq.curve_public(pair.secret) == pair.public
    except (ValueError, zmq.ZMQError):
        matches = False
    if not matches:
        raise KeyFileError(f"{source} is damaged: the {table} keys do not belong together; copy the file again")
    return pair


def _key(tables: dict[str, Any], table: str, name: str, source: str) -> bytes:
    fields = tables.get(table)
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, str):
        raise KeyFileError(f"{source} is not a key file: {table}.{name} is missing; `quorate keys generate` makes one")
    key = value.encode()
    if len(key) != _Z85_KEY_CHARS:
        raise KeyFileError(f"{source} is damaged: {table}.{name} is not a key of {_Z85_KEY_CHARS} characters")
    return key


def load_cluster(path: str | Path) -> ClusterKey:
    """The whole cluster key in a file, as a server needs it. Raises KeyFileError, also for a client's file."""
    key = load(path)
    if not key.can_serve:
        raise KeyFileError(
            f"{path} is a client's key file: a server needs the cluster's, made by `quorate keys generate`"
        )
    return key


def save(path: str | Path, text: str) -> None:
    """Write a key file that only its owner can read. Raises KeySaveError; an existing file is never overwritten."""
    path = Path(path)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        raise KeySaveError(f"{path} exists; a key file is never overwritten, name another or remove it") from None
    except OSError as error:
        raise KeySaveError(f"key file {path} cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # Whole or not at all: what is left of it would be in the way of the next attempt.
        with suppress(OSError):
            path.unlink()
        raise KeySaveError(f"key file {path} cannot be written ({error.strerror}); nothing of it was left") from error
