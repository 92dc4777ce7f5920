"""A running cluster moves to another key: nobody is refused meanwhile, and nobody is locked out afterwards."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cluster.test_keys import generate
from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, Outcome, environment, run
from tests.support.load import Load
from tests.support.server import Server
from tests.support.verdict import check
from tests.support.waiting import wait_until
from tests.support.witness import Witness
from transport.client.errors import Refused
from transport.client.sync_client import SyncClient
from transport.keys import load, parse

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def keys(server: Server, command: str, *arguments: str, key: Path) -> Outcome:
    """A `keys` command through one server."""
    return run("keys", command, *arguments, "--address", server.address, "--key", str(key))


def secrets(*files: Path) -> list[str]:
    """Every secret in these key files."""
    found = []
    for file in files:
        key = load(file)
        assert key.server is not None
        found += [key.server.secret.decode(), key.client.secret.decode()]
    return found


def switch(cluster: Cluster, key: Path) -> None:
    """From now on servers start, and are asked, with this file."""
    for server in cluster.servers:
        server.key = key


def test_a_rotation_under_load(cluster: Cluster, tmp_path: Path) -> None:
    """Every put is acknowledged in time, with the old file and with the new; no election, no false failure."""
    old, new = generate(tmp_path / "old.key"), generate(tmp_path / "new.key")
    cluster.key = old
    cluster.form(3)
    addresses = [server.address for server in cluster.servers]
    term = cluster.servers[0].status()["term"]
    new_id = load(new).fingerprint
    with Witness(cluster.servers) as witness:
        with Load(addresses, 1, key=old, name="old") as load_with_old:
            load_with_old.more(50)
            done = keys(cluster.servers[1], "rotate", str(new), key=old)
            assert done.code == 0, done
            load_with_old.more(50)
        with Load(addresses, 2, key=new, name="new") as load_with_new:
            load_with_new.more(50)
            listed = keys(cluster.servers[2], "list", key=old)
            assert f"{new_id}  [3/3]  used by 3" in listed.out
            assert listed.code == 0
            done = keys(cluster.servers[0], "rotate", "--finish", key=new)
            assert done.code == 0, done
            load_with_new.more(50)
            switch(cluster, new)
            load_with_new.acknowledged |= load_with_old.acknowledged
            check(cluster, load_with_new, witness)
    for load_ in (load_with_old, load_with_new):
        assert not load_.errors, load_.errors
        print(f"{load_.writes} puts, the slowest {load_.slowest_s:.3f} s")
    assert {server.status()["term"] for server in cluster.servers} == {term}

    logs = "\n".join(server.log_text() for server in cluster.servers)
    assert "is failed" not in logs

    late = run("kv", "get", "old/0/again", "--address", addresses[0], "--key", str(old))
    assert late.code == 3
    assert f"the key {load(old).fingerprint} is not that of its cluster" in late.error

    for server in cluster.servers:
        server.stop()
    for server in cluster.servers:
        server.start()
    cluster.agree()
    assert keys(cluster.servers[0], "list", key=new).out.startswith(f"{new_id}  [3/3]  used by 3")
    logs = "\n".join(server.log_text() for server in cluster.servers)
    assert not [secret for secret in secrets(old, new) if secret in logs + done.err + done.out + listed.out]
    for server in cluster.servers:
        assert stat.S_IMODE((server.data_dir / "keyring").stat().st_mode) == 0o600


@pytest.mark.long
def test_servers_that_were_off_or_killed(cluster: Cluster, tmp_path: Path) -> None:
    """One is off all the time, one is killed in the middle: both come back, and a forgotten file locks out nobody."""
    old, new = generate(tmp_path / "old.key"), generate(tmp_path / "new.key")
    cluster.key = old
    cluster.form(3)
    entry, killed, off = cluster.servers
    entry.put("k", "v")
    off.kill()
    entry.wait_member(off, "failed")
    rotation = subprocess.Popen(
        [*PROGRAM, "keys", "rotate", str(new), "--address", entry.address, "--key", str(old)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert rotation.stderr is not None
    assert rotation.stderr.readline() == f"{entry.name}: accepts {load(new).fingerprint} too\n"
    killed.kill()
    killed.start()
    out, err = rotation.communicate(timeout=60)
    assert rotation.returncode == 0, (out, err)
    assert f"{off.name} is off: it gets the key when it comes back, with either file" in err

    listed = keys(entry, "list", key=old)
    assert listed.code == 1
    assert f"{off.name} does not say (it is failed)" in listed.error
    held_back = keys(entry, "rotate", "--finish", key=new)
    assert held_back.code == 1
    assert f"{off.name} may have the old key only" in held_back.error

    off.key = new
    off.start()
    cluster.agree()
    wait_until("it has both keys", lambda: keys(entry, "list", key=new).code == 0)
    assert keys(killed, "rotate", "--finish", key=new).code == 0

    entry.kill()  # its key file is still the old one
    entry.start()
    entry.wait_log("holds key .*, which the cluster has retired")
    switch(cluster, new)
    cluster.agree()
    assert entry.get("k") == b"v"


@pytest.mark.long
def test_what_a_rotation_refuses(cluster: Cluster, tmp_path: Path) -> None:
    """A client's proof, a foreign key, a second rotation, a full disk: one line, and no harm; and a way by hand."""
    old, new, third = (generate(tmp_path / f"{name}.key") for name in ("old", "new", "third"))
    client = generate(tmp_path / "client.key", "--client-of", str(old))
    cluster.key = old
    cluster.form(2)
    entry, other = cluster.servers

    foreign = keys(entry, "rotate", str(new), key=third)
    assert foreign.code == 3
    assert "is not that of its cluster" in foreign.error
    step = {"member": entry.status()["id"], "stage": "installed", "new": new.read_text(), "proof": "0" * 64}
    with SyncClient(entry.address, key=load(client)) as bare, pytest.raises(Refused, match="only a holder"):
        bare.call("keys.step", step)
    assert [row["holds"] for row in entry.ask("keys.list")] == [[load(old).fingerprint]] * 2

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(other.pid, resource.RLIMIT_FSIZE, (0, hard))
    full = keys(entry, "rotate", str(new), key=old)
    assert full.code == 1
    assert f"{other.name} refused: {other.data_dir}/keyring cannot be written (File too large)" in full.error
    second = keys(entry, "rotate", str(third), key=old)
    assert second.code == 1
    assert f"rotating from key {load(old).fingerprint} to {load(new).fingerprint}" in second.error
    resource.prlimit(other.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert not os.path.lexists(other.data_dir / "keyring.new")

    done = keys(entry, "rotate", str(new), key=old)
    assert done.code == 0, done
    assert parse(new.read_bytes(), "new").fingerprint == entry.ask("keys.list")[0]["uses"]

    for server in cluster.servers:
        server.stop()
    switch(cluster, third)  # by hand: a key that no server has kept is somebody's decision
    for server in cluster.servers:
        server.start()
    cluster.agree()
    assert [row["holds"] for row in entry.ask("keys.list")] == [[load(third).fingerprint]] * 2
