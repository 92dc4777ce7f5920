"""Bearer tokens: who may do what over HTTP, as a file says.

What lives here: reading the file, finding the token of a request in it, and what a request needs.  What does not:
making tokens (commands/tokens.py), and the order of what a request passes (app.py).

The file has the SHA-256 of each token and never the token, which nobody can get back from it:

    [[token]]
    name = "shop"                 # for people: it is in the refusals
    sha256 = "…"                  # 64 hexadecimal digits
    role = "write"                # or "read"
    prefixes = ["shop/", "lamp"]  # keys that begin so; [""], or none given, for all

A token for some prefixes may list and watch within them alone.  What says how the servers are, any token may read.
"""

from __future__ import annotations

import hmac
import tomllib
from collections.abc import Iterable
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from actors.gateway.http.error import ApiError
from transport.errors import QuorateError
from transport.text import shortened

if TYPE_CHECKING:
    from aiohttp import web

Role = Literal["read", "write"]

TOKENS_MAX: Final = 1_000
"""Each request is compared with all of them, so that how long it takes says nothing."""

FILE_BYTES_MAX: Final = 1 << 20
OPEN: Final = frozenset({"/health", "/ready", "/v1/openapi.json", "/"})
"""Routes for load balancers, for the curious, and for the page, which shows nothing without the others."""

PAGE: Final = "/page/"
_SCHEME: Final = "bearer "
_READING: Final = frozenset({"GET", "HEAD"})


class TokenFileError(QuorateError):
    """The file of the tokens cannot be used; one line for people."""

    exit_code = 2


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the holder of a token may do."""

    name: str
    sha256: str
    role: Role
    prefixes: list[str] = msgspec.field(default_factory=lambda: [""])

    def refusal(self, role: Role, keys: Iterable[str]) -> str:
        """Why it does not allow this to all these keys or prefixes of keys, "" when it does."""
        if role == "write" and self.role != "write":
            return f"the token {self.name} may read, not write"
        for key in keys:
            if not key.startswith(tuple(self.prefixes)):
                known = ", ".join(map(shortened, self.prefixes))
                return f"the token {self.name} is for keys that begin with {known}, not for {shortened(key)}"
        return ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: list[Grant]


class Tokens:
    """The tokens of one server."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._grants = [(bytes.fromhex(grant.sha256), grant) for grant in grants]

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Read the file.  Raises TokenFileError."""
        return cls(read_grants(path))

    def grant(self, header: str) -> Grant | None:
        """Whose token an Authorization header has; None for nobody's."""
        token = header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, grant in self._grants:
            if hmac.compare_digest(known, digest):
                found = grant
        return found

    def check(self, request: web.Request) -> None:
        """Raise ApiError, 401 or 403, for a request that may not be made."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else ""
        if not (route in OPEN or route.startswith(PAGE)):
            self._allow(request, *_needs(request, route))

    def check_keys(self, request: web.Request, keys: Iterable[str]) -> None:
        """The same for keys that were found in the body: all of them have to be the token's to write."""
        self._allow(request, "write", keys)

    def _allow(self, request: web.Request, role: Role, keys: Iterable[str]) -> None:
        grant = self.grant(request.headers.get("Authorization", ""))
        if grant is None:
            given = "Authorization" in request.headers
            raise ApiError(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "this server does not know the bearer token" if given else "give a token: Authorization: Bearer TOKEN",
            )
        refusal = grant.refusal(role, keys)
        if refusal:
            raise ApiError(HTTPStatus.FORBIDDEN, "forbidden", refusal)


def read_grants(path: Path) -> list[Grant]:
    """What is in a file of tokens.  Raises TokenFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise TokenFileError(f"{path} is no file of tokens: it is larger than {FILE_BYTES_MAX} bytes")
        grants = msgspec.convert(tomllib.loads(data.decode()), _File).token
    except OSError as error:
        raise TokenFileError(
            f"cannot read the tokens {path} ({error.strerror or error}): `tokens generate` makes the file"
        ) from None
    except (ValueError, msgspec.ValidationError) as error:
        raise TokenFileError(f"{path} is no file of tokens: {error}") from None
    if len(grants) > TOKENS_MAX:
        raise TokenFileError(f"{path} has {len(grants)} tokens: at most {TOKENS_MAX} are allowed")
    for grant in grants:
        if len(grant.sha256) != 2 * sha256().digest_size or not _is_hex(grant.sha256):
            raise TokenFileError(f"{path}: the sha256 of token {shortened(grant.name)} is not 64 hexadecimal digits")
        if not grant.name.isprintable() or not grant.prefixes:
            raise TokenFileError(f"{path}: token {shortened(grant.name)} needs a printable name, and a prefix or none")
    return grants


def _needs(request: web.Request, route: str) -> tuple[Role, list[str]]:
    """The role for a request, and the keys or prefixes that it is about.

    A transaction's keys are in its body, and are looked at when that has been read.
    """
    role: Role = "read" if request.method in _READING else "write"
    if "key" in request.match_info:
        return role, [request.match_info["key"]]
    if route in ("/v1/kv", "/v1/watch"):
        return role, [request.query.get("key", request.query.get("prefix", ""))]
    if role == "read" or route == "/v1/txn":
        return role, []
    return role, [""]


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdefABCDEF" for char in text)
