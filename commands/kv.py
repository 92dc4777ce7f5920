"""Commands of the key-value store: kv put, get, delete, list, cas, txn, watch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final, TypeVar

import click

from actors.gateway.http.txn_json import TransactionError, answer_report, parse_txn
from actors.gateway.reports import pair_report, update_report
from actors.views import table
from commands.kv_answer import answer_of
from commands.options import TEXT, Remote, Text, remote_command, to_json
from commands.paths import OPENED
from storage.kv_protocol import (
    KEY_BYTES_MAX,
    LIST_BYTES_MAX,
    LIST_LIMIT_MAX,
    VALUE_BYTES_MAX,
    Answered,
    Changed,
    Found,
    Page,
    cas,
    delete,
    get,
)
from storage.kv_protocol import list_keys as list_query
from storage.kv_protocol import put as put_command
from storage.record import NUMBER_MAX
from transport.errors import QuorateError
from transport.limits import COMMAND_BYTES_MAX
from transport.text import shell_quoted, shortened

STDIN: Final = "-"
LINEARIZABLE: Final = "linearizable"
STALE: Final = "stale"
SHOWN_CHARS_MAX: Final = 60

TXN_TEXT_BYTES_MAX: Final = 2 * COMMAND_BYTES_MAX
"""Of a transaction as JSON: what it is made into has its own limit, which the server holds it to."""

T = TypeVar("T")


class Key(Text):
    """A key within the store's limits, which need no server to be known."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The key, or the usage error."""
        key = super().convert(value, param, ctx)
        if not key:
            self.fail("a key must not be empty", param, ctx)
        size = len(key.encode())
        if size > KEY_BYTES_MAX:
            self.fail(f"the key {shortened(key)} has {size} bytes: at most {KEY_BYTES_MAX} are allowed", param, ctx)
        return key


KEY: Final = Key()


class KvError(QuorateError):
    """The store did not do what was asked: no such key, a lost race, something too large."""


consistency_option = click.option(
    "--consistency",
    type=click.Choice([LINEARIZABLE, STALE]),
    default=LINEARIZABLE,
    show_default=True,
    help="linearizable: what the cluster has now; stale: what this server has, also without a leader, with its age.",
)


REVISION = click.IntRange(0, NUMBER_MAX)
revision_option = click.option(
    "--revision", type=REVISION, default=0, metavar="N", help="As it was at this revision; 0: as it is."
)


@click.group(no_args_is_help=True)
def kv() -> None:
    """Read and write keys."""


@kv.command()
@click.argument("key", type=KEY)
@click.argument("value")
@remote_command()
def put(remote: Remote, key: str, value: str) -> None:
    """Set KEY to VALUE; the value - is read from stdin."""
    changed = _propose(remote, put_command(key, _checked(_bytes(value))), Changed)
    remote.show({"key": key, "revision": changed.revision}, _revision_view)


@kv.command("get")
@click.argument("key", type=KEY)
@revision_option
@consistency_option
@remote_command()
def get_key(remote: Remote, key: str, revision: int, consistency: str) -> None:
    """Print the value of KEY, and nothing else."""
    found, age = _read(remote, get(key, revision), consistency, Found)
    if remote.form == "table":
        _print_raw(found.value)
    else:
        remote.show(pair_report(found) | age, str)


@kv.command("delete")
@click.argument("key", type=KEY)
@remote_command()
def delete_key(remote: Remote, key: str) -> None:
    """Remove KEY; the exit code is 1 when it does not exist."""
    changed = _propose(remote, delete(key), Changed)
    remote.show({"key": key, "revision": changed.revision}, _revision_view)


@kv.command("list")
@click.argument("prefix", type=TEXT, default="")
@click.option("--start", type=TEXT, default="", metavar="KEY", help="From this key on: the 'next' of the page before.")
@click.option(
    "--limit",
    type=click.IntRange(1, LIST_LIMIT_MAX),
    default=LIST_LIMIT_MAX,
    show_default=True,
    help=f"Keys in a page; it ends sooner once they and their values pass {LIST_BYTES_MAX >> 20} MiB.",
)
@revision_option
@consistency_option
@remote_command()
def list_keys(remote: Remote, prefix: str, start: str, limit: int, revision: int, consistency: str) -> None:
    """List the keys with PREFIX in order, with their values."""
    page, age = _read(remote, list_query(prefix, start, limit, revision), consistency, Page)
    items = [pair_report(found) for found in page.items]
    if remote.form == "jsonl":
        remote.show(items, str)
    else:
        remote.show({"items": items, "next": page.next or None, "revision": page.revision, **age}, _page_view)
    if page.next:
        click.echo(f"there are more: --start {shell_quoted(page.next)} shows them", err=True)


@kv.command("cas")
@click.argument("key", type=KEY)
@click.argument("values", nargs=-1, required=True, metavar="OLD NEW")
@click.option("--absent", is_flag=True, help="Only if KEY does not exist; leave OLD out.")
@remote_command()
def compare_and_set(remote: Remote, key: str, values: tuple[str, ...], absent: bool) -> None:
    """Set KEY to NEW if its value is OLD; the exit code is 1 when it is another one."""
    if len(values) != (1 if absent else 2):
        raise click.UsageError("write KEY OLD NEW, or --absent KEY NEW for a key that must not exist")
    old = None if absent else _bytes(values[0])
    changed = _propose(remote, cas(key, old, _checked(_bytes(values[-1]))), Changed)
    remote.show({"key": key, "revision": changed.revision}, _revision_view)


@kv.command("txn")
@click.argument("file", type=OPENED)
@remote_command()
def transact(remote: Remote, file: BinaryIO) -> None:
    """Carry out the transaction in FILE (- for stdin), as JSON; the exit code is 1 when its comparisons do not hold.

    {"when": [{"key": "k", "test": "==", "revision": 0}], "then": [{"op": "put", "key": "k", "value": "v"}],
    "otherwise": [{"op": "get", "key": "k"}]}
    """
    text = file.read(TXN_TEXT_BYTES_MAX + 1)
    if len(text) > TXN_TEXT_BYTES_MAX:
        raise click.UsageError(
            f"{file.name} is larger than {TXN_TEXT_BYTES_MAX} bytes, the limit: make several transactions of it"
        )
    try:
        command = parse_txn(text)
    except TransactionError as error:
        raise click.UsageError(f"{file.name} holds no transaction: {error}") from None
    report = answer_report(_propose(remote, command, Answered))
    remote.show(report, _txn_view)
    if not report["succeeded"]:
        raise click.exceptions.Exit(1)


@kv.command("watch")
@click.argument("prefix", type=TEXT)
@click.option("--exact", is_flag=True, help="Only of the key PREFIX itself.")
@click.option("--after", type=REVISION, metavar="N", help="Begin after this revision, not now.")
@remote_command()
def watch_keys(remote: Remote, prefix: str, exact: bool, after: int | None) -> None:
    """Show each change of the keys with PREFIX, in order, until it is interrupted.

    It goes on at another server when its own dies.  As json and jsonl alike, each command's changes are an object.
    """
    from asyncio import run

    run(_watch(remote, prefix, exact=exact, after=after))


async def _watch(remote: Remote, prefix: str, *, exact: bool, after: int | None) -> None:
    async with remote.lasting_client() as client:
        async for update in await client.kv.watch(prefix, prefix=not exact, after=after):
            report = update_report(update.revision, update.changes)
            click.echo(_update_view(report) if remote.form == "table" else to_json(report))


def _read(remote: Remote, query: bytes, consistency: str, kind: type[T]) -> tuple[T, dict[str, Any]]:
    """The answer, and the age of a stale one for the JSON; it is said on stderr too, a missing key's included."""
    with remote.client() as client:
        if consistency != STALE:
            return answer_of(client.read(query), kind, KvError), {}
        stale = client.read_stale(query)
    if stale.age_s is None:
        click.echo("stale: the server has heard no leader since it was started", err=True)
    else:
        click.echo(f"stale: up to date {stale.age_s:g} s ago, as far as the server knows", err=True)
    return answer_of(stale.answer, kind, KvError), {"age_s": stale.age_s}


def _propose(remote: Remote, command: bytes, kind: type[T]) -> T:
    with remote.client() as client:
        return answer_of(client.propose(command), kind, KvError)


def _bytes(text: str) -> bytes:
    """A value from the command line, bytes that are no text included, or from stdin."""
    if text != STDIN:
        return os.fsencode(text)
    if sys.stdin is None:
        raise KvError("there is no stdin to read the value from: it is closed")
    try:
        return sys.stdin.buffer.read(VALUE_BYTES_MAX + 1)
    except OSError as error:
        raise KvError(f"cannot read the value from stdin: {error.strerror}") from None


def _checked(value: bytes) -> bytes:
    # Said here, before it travels; a longer stdin was cut, so its length is not known.
    if len(value) > VALUE_BYTES_MAX:
        raise click.UsageError(f"the value is larger than {VALUE_BYTES_MAX} bytes, the limit; store a reference to it")
    return value


def _print_raw(value: bytes) -> None:
    if sys.stdout is None:
        raise KvError("there is no stdout to print the value on: it is closed")
    sys.stdout.buffer.write(value)
    if sys.stdout.isatty():
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def _revision_view(value: dict[str, Any]) -> str:
    return f"revision {value['revision']}"


def _txn_view(report: dict[str, Any]) -> str:
    held = "the comparisons held" if report["succeeded"] else "the comparisons did not hold"
    rows = [(str(number), _result_view(result)) for number, result in enumerate(report["results"], 1)]
    operations = ["", table(("OPERATION", "RESULT"), rows)] if rows else []
    return "\n".join([f"{held}; revision {report['revision']}", *operations])


def _update_view(report: dict[str, Any]) -> str:
    shown = _shortened(SHOWN_CHARS_MAX)
    return "\n".join(
        f"{report['revision']} {one['key']} " + ("deleted" if "deleted" in one else f"= {shown(one)}")
        for one in report["changes"]
    )


def _result_view(result: dict[str, Any] | bool | None) -> str:
    if isinstance(result, dict):
        return f"{result['key']} = {_shortened(SHOWN_CHARS_MAX)(result)} (revision {result['revision']})"
    return {True: "deleted", False: "was not there", None: "-"}[result]


def _page_view(page: dict[str, Any]) -> str:
    shown = _shortened(SHOWN_CHARS_MAX)
    rows = [(item["key"], item["revision"], shown(item)) for item in page["items"]]
    return table(("KEY", "REVISION", "VALUE"), rows) if rows else "no keys"


def _shortened(limit: int) -> Callable[[dict[str, Any]], str]:
    def show(item: dict[str, Any]) -> str:
        text = str(item["value"]) if "value" in item else f"base64:{item['value_base64']}"
        return text if len(text) <= limit else text[: limit - 3] + "..."

    return show
