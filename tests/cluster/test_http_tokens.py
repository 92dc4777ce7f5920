"""Tokens on a real server: none, one that may read, one that is taken back while the server runs."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]


def status(server: Server, token: str, path: str, data: bytes | None = None) -> int:
    """The status of a GET, or of a PUT of data."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    method = "GET" if data is None else "PUT"
    request = urllib.request.Request(f"http://{server.http}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_token_is_asked_for_and_can_be_taken_back(cluster: Cluster, tmp_path: Path) -> None:
    """The file is read by each incarnation of the actor, so a kill of that takes it anew; nothing else restarts."""
    file = tmp_path / "tokens"

    def made(*options: str) -> str:
        outcome = run("tokens", "generate", str(file), *options)
        assert outcome.code == 0, outcome
        return outcome.out.strip()

    reader, shop = made("--name", "reader"), made("--name", "shop", "--role", "write", "--prefix", "shop/")
    server = cluster.add("--http-tokens", str(file))
    server.start()
    server.wait_status("leads", lambda said: said["role"] == "leader" and said["quorum"] and not said["starting"])

    assert [status(server, token, "/v1/status") for token in ("", "x", reader, shop)] == [401, 401, 200, 200]
    assert [status(server, token, "/v1/kv/shop/a", b"1") for token in ("", reader, shop)] == [401, 403, 200]
    assert [status(server, token, "/v1/kv/other", b"1") for token in (reader, shop)] == [403, 403]
    assert [status(server, "", path) for path in ("/health", "/ready", "/", "/metrics")] == [200, 200, 200, 401]

    _, _, rest = file.read_text().partition('name = "shop"')
    file.write_text(f'[[token]]\nname = "shop"{rest}')
    assert server.cli("actors", "kill", "http@1").code == 0
    wait_until("the reader is unknown", lambda: status(server, reader, "/v1/status") == 401)
    assert status(server, shop, "/v1/kv/shop/a") == 200
