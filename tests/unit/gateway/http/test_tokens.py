"""Bearer tokens: every route asks for one, a role and prefixes bound it, and no request gets around them."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from actors.gateway.http.app import make_app
from actors.gateway.http.openapi import PATHS
from actors.gateway.http.tokens import OPEN, Grant, TokenFileError, Tokens, read_grants
from actors.runtime.ref import Ref
from commands.tokens import append
from tests.support.command import run
from tests.unit.gateway.http.play import Gateway, Http
from transport.address import parse_address

ALL, READER, SHOP = "all-token", "reader-token", "shop-token"


def grant(token: str, role: Any, *prefixes: str) -> Grant:
    """An entry of the file."""
    return Grant(token, sha256(token.encode()).hexdigest(), role, list(prefixes or [""]))


TOKENS = Tokens([grant(ALL, "write"), grant(READER, "read"), grant(SHOP, "write", "shop/", "lamp")])


@pytest.fixture
async def guarded() -> AsyncIterator[Http]:
    """The API that asks for tokens."""
    gateway = Gateway()
    app = make_app(cast("Ref", gateway), parse_address("127.0.0.1:7947"), TOKENS)
    async with TestServer(app) as server, ClientSession() as session:
        yield Http(gateway, server, session)


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"Authorization": f"Bearer {token}"}


async def test_every_route_but_the_open_ones_asks_for_a_token(guarded: Http) -> None:
    """Paths that are none, too; and an unknown token, another scheme and an empty header are no token."""
    operations = [(method, path) for path, item in PATHS.items() for method in item if method != "parameters"]
    for method, path in [*operations, ("get", "/no/such/path"), ("post", "/v1/kv/a")]:
        if path in OPEN:
            continue
        for headers in ({}, bearer("x"), bearer(""), {"Authorization": f"Basic {ALL}"}, {"Authorization": ALL}):
            status, body = await guarded(method.upper(), path.replace("{key}", "a"), headers=headers)
            assert (status, body["error"]) == (401, "unauthorized"), (method, path, headers)
    assert guarded.gateway.requests == []
    assert (await guarded("GET", "/health"))[0] == 200
    assert (await guarded.headers("GET", "/v1/status"))["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("token", "method", "path", "status"),
    [
        (ALL, "PUT", "/v1/kv/a", 200),
        (ALL, "GET", "/v1/kv", 200),
        (READER, "GET", "/v1/kv/none", 404),
        (READER, "PUT", "/v1/kv/a", 403),
        (READER, "DELETE", "/v1/kv/a", 403),
        (READER, "GET", "/v1/kv", 200),
        (SHOP, "PUT", "/v1/kv/shop/a", 200),
        (SHOP, "PUT", "/v1/kv/lamp", 200),
        (SHOP, "PUT", "/v1/kv/shopping", 403),
        (SHOP, "PUT", "/v1/kv/%73hop/a", 200),
        (SHOP, "GET", "/v1/kv/other", 403),
        (SHOP, "GET", "/v1/kv", 403),
        (SHOP, "GET", "/v1/kv?prefix=shop/x", 200),
        (SHOP, "GET", "/v1/kv?prefix=sho", 403),
        (SHOP, "GET", "/v1/kv?prefix=shop/&prefix=", 400),
        (SHOP, "GET", "/v1/kv?key=shop/&prefix=", 400),
        (SHOP, "GET", "/v1/watch?key=other", 403),
        (SHOP, "GET", "/v1/watch?key=shop/a&prefix=", 400),
        (SHOP, "GET", "/v1/watch", 403),
        (SHOP, "GET", "/v1/members", 200),
    ],
)
async def test_a_role_and_prefixes(guarded: Http, token: str, method: str, path: str, status: int) -> None:
    """The refusal names the token and says what it is for."""
    answered, body = await guarded(method, path, headers=bearer(token))
    assert answered == status
    if status == 403:
        assert token in body["message"]


@pytest.mark.parametrize("where", ["when", "then", "otherwise"])
async def test_every_key_of_a_transaction_counts(guarded: Http, where: str) -> None:
    """What is compared or read tells as much as what is written; and who may only read cannot send one."""
    parts: dict[str, list[dict[str, Any]]] = {
        "when": [{"key": "shop/a", "revision": 0}],
        "then": [{"op": "put", "key": "shop/a", "value": "1"}],
        "otherwise": [{"op": "get", "key": "shop/a"}],
    }
    assert (await guarded("POST", "/v1/txn", json=parts, headers=bearer(SHOP)))[0] == 200
    assert (await guarded("POST", "/v1/txn", json=parts, headers=bearer(READER)))[0] == 403
    parts[where][0]["key"] = "other"
    assert (await guarded("POST", "/v1/txn", json=parts, headers=bearer(SHOP)))[0] == 403


def test_a_token_is_made_once_and_its_hash_kept(tmp_path: Path) -> None:
    """Two tokens in a file that its owner alone reads; neither token is in it."""
    file = tmp_path / "tokens.toml"
    made = run("tokens", "generate", str(file), "--name", 'a "b"', "--role", "write", "--prefix", "x/\\")
    other = run("tokens", "generate", str(file), "--name", "reader")
    again = run("tokens", "generate", str(file), "--name", "reader")

    assert (made.code, other.code, again.code) == (0, 0, 1)
    assert "already" in again.error
    assert file.stat().st_mode & 0o077 == 0
    assert made.out.strip() not in file.read_text()
    tokens = Tokens.load(file)
    assert tokens.grant(f"bearer {made.out.strip()}") == Grant(
        'a "b"', sha256(made.out.strip().encode()).hexdigest(), "write", ["x/\\"]
    )
    assert [one.prefixes for one in read_grants(file)] == [["x/\\"], [""]]


@pytest.mark.parametrize("before", [None, "# mine\n"])
def test_a_full_disk_leaves_the_file_as_it_was(
    before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an entry, or a file without any, would stop every server that reads it."""
    file = tmp_path / "tokens.toml"
    if before is not None:
        file.write_text(before)

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append(file, "[[token]]\n")
    assert (file.read_text() if file.exists() else None) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token = 1",
        "[[token]]\nname = 'a'\nsha256 = 'x'\nrole = 'read'",
        f"[[token]]\nname = 'a'\nsha256 = '{'0' * 64}'\nrole = 'admin'",
        f"[[token]]\nname = 'a'\nsha256 = '{'0' * 64}'\nrole = 'read'\nprefix = 'x'",
        "\xff",
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    """A field misspelt would be no bound at all."""
    file = tmp_path / "t"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(TokenFileError, match=r"no file of tokens|hexadecimal") as caught:
        read_grants(file)
    assert "\n" not in str(caught.value)


def test_beyond_loopback_a_server_wants_tokens(tmp_path: Path) -> None:
    """Exit code 2 without them; and with a file that is none, before anybody hears of the server."""
    start = ("start", "--data-dir", str(tmp_path / "d"), "--http", "0.0.0.0:7947")
    assert "--http-tokens" in run(*start).error
    outcome = run(*start, "--http-tokens", str(tmp_path / "none"))
    assert (outcome.code, "tokens generate" in outcome.error) == (2, True)
