"""The command debug bundle: what everybody asks for when something is wrong, in one archive.

What lives here: asking every server, and the archive.  What does not: the answers (actors/gateway).

No secrets: keys and values of the store are not asked for, key files and tokens are not read, and the commands of event
handlers, whose arguments may be secret, are taken out of all texts.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from typing import Any, Final

import click

from commands.options import Remote, remote_command
from commands.paths import OUTPUT, STDIO
from commands.whole_file import whole_file
from quorate.version import __version__
from transport.errors import QuorateError
from transport.text import counted

OPERATIONS: Final = (
    "status",
    "health",
    "info",
    "members",
    "raft.peers",
    "actors.list",
    "actors.tree",
    "actors.mailboxes",
    "actors.dead_letters",
    "links",
    "requests",
    "metrics",
    "version",
)
SERVERS_MAX: Final = 64
LOG_PAGES_MAX: Final = 16
ANSWER_TIMEOUT_S: Final = 2.0
"""For each answer: a server that is ill is no reason to know nothing of the others."""

REDACTED: Final = "[command of an event handler]"
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")


class BundleError(QuorateError):
    """Nobody answered."""

    exit_code = 3


@click.group(no_args_is_help=True)
def debug() -> None:
    """Gather what is needed to find out what is wrong."""


@debug.command()
@click.argument("file", type=OUTPUT, metavar="FILE.tar.gz")
@remote_command()
def bundle(remote: Remote, file: str) -> None:
    """Ask a server and all others that it knows; their answers and last log lines go into FILE.tar.gz (- for stdout).

    A server that does not answer is in it with the reason.  Keys, values, tokens and key files are not.  A file that
    was there before is replaced.
    """
    answers: dict[str, dict[str, Any]] = {}
    with remote.client():
        # A key file that cannot be used ends the command here: it is no answer that is missing.
        pass
    reached = _ask(remote, remote.address, remote.timeout_s)
    status = reached.get("status.json")
    if not isinstance(status, dict):
        raise BundleError(reached["errors.json"].get("status", f"{remote.address} does not answer"))
    answers[_folder(status["node"], status["id"])] = reached
    for member in _others(reached, status["id"]):
        click.echo(f"asking {member['name']} at {member['address']}", err=True)
        answers[_folder(member["name"], member["id"])] = _ask_member(remote, member)
    with whole_file(file) as out:
        _write(out, answers)
    servers = {folder: not parts["errors.json"] for folder, parts in answers.items()}
    remote.show(
        {"file": file, "servers": servers},
        lambda _: f"{file}: {counted(len(servers), 'server')}, {sum(servers.values())} of them whole",
        err=file == STDIO,
    )


def _ask_member(remote: Remote, member: dict[str, Any]) -> dict[str, Any]:
    """What a member says, and not what the server says that lives at a dead one's address by now."""
    parts = _ask(remote, member["address"], ANSWER_TIMEOUT_S)
    status = parts.get("status.json")
    if not isinstance(status, dict) or status["id"] == member["id"]:
        return parts
    return {"errors.json": {"connection": f"{status['node']} ({status['id']}) lives at {member['address']} now"}}


def _ask(remote: Remote, address: str, timeout_s: float) -> dict[str, Any]:
    """What one server says: file name to answer, and what it did not say in errors.json."""
    parts: dict[str, Any] = {}
    errors: dict[str, str] = {}
    server = Remote(address, remote.key_file, timeout_s, remote.form)
    try:
        with server.client() as client:
            for op in OPERATIONS:
                try:
                    parts[f"{op}.json"] = client.call(op)
                except QuorateError as error:
                    errors[op] = str(error)
                    if error.exit_code == BundleError.exit_code:
                        # Nothing else will be answered, and each question would wait for it.
                        break
            else:
                parts["log.jsonl"] = list(_log(client))
    except QuorateError as error:
        errors["log" if parts else "connection"] = str(error)
    return {**parts, "errors.json": errors}


def _log(client: Any) -> Iterator[dict[str, Any]]:
    cursor = ""
    for _ in range(LOG_PAGES_MAX):
        page = client.call("monitor", {"level": "info", "cursor": cursor, "wait_s": 0.0})
        yield from page["entries"]
        if not page["entries"]:
            return
        cursor = page["cursor"]


def _others(reached: dict[str, Any], own_id: str) -> list[dict[str, Any]]:
    members = [row for row in reached.get("members.json") or () if row["id"] != own_id and row["status"] != "left"]
    if len(members) >= SERVERS_MAX:
        click.echo(f"{len(members)} other servers: the first {SERVERS_MAX - 1} are asked", err=True)
    return members[: SERVERS_MAX - 1]


def _write(out: Any, answers: dict[str, dict[str, Any]]) -> None:
    made_at = time.time()
    manifest = {
        "made_at": made_at,
        "release": __version__,
        "servers": {folder: parts["errors.json"] for folder, parts in answers.items()},
    }
    secrets = _commands(answers)
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, value in {
            "manifest.json": manifest,
            **{f"{folder}/{part}": value for folder, parts in answers.items() for part, value in parts.items()},
        }.items():
            text = _text(name, value)
            for secret in secrets:
                text = text.replace(secret, REDACTED)
            data = text.encode("utf-8", "backslashreplace")
            entry = tarfile.TarInfo(f"quorate-debug/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(made_at), 0o600
            archive.addfile(entry, io.BytesIO(data))


def _text(name: str, value: Any) -> str:
    if name.endswith(".jsonl"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in value)
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _commands(answers: dict[str, dict[str, Any]]) -> list[str]:
    """The event handlers' commands as they stand in JSON, the longest first; they are taken out of `info` itself."""
    found: set[str] = set()
    for parts in answers.values():
        handlers = parts.get("info.json", {}).get("event_handlers", {})
        for handler in filter(None, handlers.pop("commands", "").split("; ")):
            _, equals, command = handler.partition("=")
            found.add(json.dumps(command if equals else handler, ensure_ascii=False)[1:-1])
    return sorted(found, key=len, reverse=True)


def _folder(name: str, server_id: str) -> str:
    return f"{_NO_NAME.sub('_', name)[:64]}-{server_id[:8]}"
