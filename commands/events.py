"""Commands about events and queries: event send, event watch, query, reachability."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import click
from click.core import ParameterSource

from actors.events.rows import RESTART
from commands.follow import follow
from commands.options import DEFAULT_TIMEOUT_S, GIVEN, TEXT, Remote, remote_command, to_json
from commands.tags import parse_tags
from transport.errors import QuorateError
from transport.text import counted, escaped

PING: Final = "_quorate_ping"
"""The query that every member acknowledges by itself."""

TIPS: Final = (
    "A member that is silent here and alive in 'members' is busy, stopped, or cut off from this server alone:",
    "  ask another server with --address, to see whether it is the member or the way to it;",
    "  look at it with 'members --why NAME', and at how slow the way is with 'rtt NAME';",
    "  once it is suspected, 'members' shows it as suspect, and as failed when it does not object.",
)


class UnreachableMembersError(QuorateError):
    """Not every live member has acknowledged."""


@click.group(no_args_is_help=True)
def event() -> None:
    """Tell all members something, and watch what happens."""


@event.command()
@click.argument("name", type=TEXT)
@click.argument("payload", type=TEXT, default="")
@click.option(
    "--coalesce/--no-coalesce",
    default=True,
    show_default=True,
    help="Whether handlers may be given only the newest of several events of one name within a moment.",
)
@remote_command()
def send(remote: Remote, name: str, payload: str, coalesce: bool) -> None:
    """Send a user event to all members.  Name and payload have at most 512 bytes together."""
    answer = remote.ask("event.send", {"name": name, "payload": payload.encode(), "coalesce": coalesce})
    remote.show(answer, lambda value: f"event {name!r} sent (Lamport time {value['ltime']})")


@event.command()
@click.option(
    "--name",
    "names",
    type=GIVEN,
    multiple=True,
    metavar="NAME",
    help="Only events and queries of this name or kind (member-failed, user, query, ...); several may be given.",
)
@click.option("--recent", is_flag=True, help="Begin with the latest events that the server still knows.")
@remote_command()
def watch(remote: Remote, names: tuple[str, ...], recent: bool) -> None:
    """Show what happens as a server sees it: members that come, change and go, user events, queries.

    Ends when interrupted, or when the server goes away.  As json and jsonl alike, each event is an object.
    """
    for row in follow(remote, "event.watch", {"recent": recent}, "events"):
        if row["event"] == RESTART:
            click.echo(row["reason"], err=True)
        elif not names or row["event"] in names or row.get("name") in names:
            click.echo(_event_line(row) if remote.form == "table" else to_json(row))


@click.command()
@click.argument("name", type=TEXT)
@click.argument("payload", type=TEXT, default="")
@click.option("--node", "nodes", type=TEXT, multiple=True, metavar="NAME", help="Ask only this member, by name or id.")
@click.option(
    "--tag", "tags", type=TEXT, multiple=True, metavar="K=RE", help="Ask only members whose tag fits this expression."
)
@click.option("--no-ack", is_flag=True, help="Ask for no acknowledgements: only answers are shown.")
@click.option(
    "--relay-factor",
    type=click.IntRange(0, 8),
    default=0,
    show_default=True,
    help="How many other members carry a second copy of each reply.",
)
@remote_command()
def query(
    remote: Remote,
    name: str,
    payload: str,
    nodes: tuple[str, ...],
    tags: tuple[str, ...],
    no_ack: bool,
    relay_factor: int,
) -> None:
    """Ask all members, or some, and show their replies.

    It ends when everybody has replied.  Those who do not are waited for until --timeout; without it, for as long as
    gossip needs to reach all (0.8 s to 10 s, depending on profile and size).
    """
    wanted = {
        "name": name,
        "payload": payload.encode(),
        "timeout_s": _asked_timeout_s(remote),
        "nodes": list(nodes),
        "tags": parse_tags(tags),
        "ack": not no_ack,
        "relays": relay_factor,
    }
    asked = _send_query(remote, wanted)
    replies = _replies(remote, asked)
    if remote.form == "table":
        click.echo(f"Query {name!r} dispatched")
        _show(replies, "" if no_ack else f" of {len(asked['expected'])}")
    elif remote.form == "jsonl":
        for reply in replies:
            click.echo(to_json(reply))
    else:
        click.echo(to_json(_report(asked, list(replies)), indent=2))


@click.command()
@click.option("--verbose", is_flag=True, help="Show each acknowledgement, and how long they took.")
@remote_command()
def reachability(remote: Remote, verbose: bool) -> None:
    """Test whether all live members can be reached; the exit code is 1 when one does not acknowledge."""
    members = _patient(remote).ask("members")
    live = [member for member in members if member["status"] not in ("failed", "left")]
    began = time.monotonic()
    asked = _send_query(remote, {"name": PING, "timeout_s": _asked_timeout_s(remote)})
    is_table = remote.form == "table"
    if is_table:
        click.echo(f"Total members: {len(members)}, live members: {len(live)}")
        click.echo("Starting reachability test...")
    replies, last_s = [], 0.0
    for reply in _replies(remote, asked):
        replies.append(reply)
        if reply["type"] == "ack":
            last_s = time.monotonic() - began
            if verbose and is_table:
                click.echo(f"\tAck from {escaped(reply['from'])!r}")
    took_s = time.monotonic() - began
    report = _report(asked, replies) | {"took_s": round(took_s, 3), "last_ack_s": round(last_s, 3)}
    if not is_table:
        remote.show(report, str)
    elif verbose:
        click.echo(f"Query time: {took_s:.2f} sec, time to last response: {last_s:.2f} sec")
    _judge(report, is_table=is_table)


def _judge(report: Mapping[str, Any], *, is_table: bool) -> None:
    missing = report["missing"]
    if not missing:
        if is_table:
            click.echo("Successfully contacted all live nodes")
        return
    for tip in TIPS if is_table else ():
        click.echo(tip, err=True)
    raise UnreachableMembersError(
        f"{counted(len(report['acks']), 'member')} of {len(report['expected'])} acknowledged; missing: "
        f"{escaped(', '.join(missing))}"
    )


def _asked_timeout_s(remote: Remote) -> float:
    """The time given on the command line or in the environment; 0 for the server's own formula."""
    source = click.get_current_context().get_parameter_source("timeout")
    return 0.0 if source is ParameterSource.DEFAULT else remote.timeout_s


def _patient(remote: Remote) -> Remote:
    """The server with another time for its own answers than the query has for the members'."""
    return Remote(remote.address, remote.key_file, max(remote.timeout_s, DEFAULT_TIMEOUT_S), remote.form)


def _send_query(remote: Remote, wanted: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = _patient(remote).ask("query.send", wanted)
    return answer


def _replies(remote: Remote, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each reply as it comes; the last one is of the type done."""
    for reply in follow(_patient(remote), "query.follow", {"query": asked["id"]}, "replies"):
        yield reply
        if reply["type"] == "done":
            return


def _report(asked: Mapping[str, Any], replies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "timeout_s": asked["timeout_s"],
        "expected": asked["expected"],
        "acks": sorted(reply["from"] for reply in replies if reply["type"] == "ack"),
        "responses": [
            {key: value for key, value in reply.items() if key != "type"}
            for reply in replies
            if reply["type"] == "answer"
        ],
        "missing": replies[-1]["missing"],
    }


def _clock(time_text: str) -> str:
    """When the server saw it, in this machine's time; with the date when that is not today's."""
    seen = datetime.fromisoformat(time_text).astimezone()
    is_today = seen.date() == datetime.now().astimezone().date()
    return seen.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def _event_line(row: Mapping[str, Any]) -> str:
    clock = _clock(row["time"])
    if "member" in row:
        member = row["member"]
        tags = ",".join(f"{key}={value}" for key, value in sorted(member["tags"].items()))
        about = row.get("reason", tags)
        return escaped(f"{clock}  {row['event']}  {member['name']}  {member['address']}  {about}".rstrip())
    asker = f" from {row['from']}" if "from" in row else ""
    text = f"{clock}  {row['event']}:{row['name']}  (Lamport time {row['ltime']}){asker}  {_payload(row)}"
    return escaped(text.rstrip())


def _show(replies: Iterator[dict[str, Any]], of_expected: str) -> None:
    """Serf's lines: each reply as it comes, then how many; of_expected: "" when no acknowledgements were asked for."""
    counts = {"ack": 0, "answer": 0}
    for reply in replies:
        if reply["type"] in counts:
            counts[reply["type"]] += not reply.get("error")
            click.echo(_reply_line(reply))
    if of_expected:
        click.echo(f"Total Acks: {counts['ack']}{of_expected}")
    click.echo(f"Total Responses: {counts['answer']}")
    if reply["missing"]:
        click.echo(f"No ack from: {escaped(', '.join(reply['missing']))}", err=True)


def _reply_line(reply: Mapping[str, Any]) -> str:
    if reply["type"] == "ack":
        return escaped(f"Ack from {reply['from']!r}")
    if reply["error"]:
        return escaped(f"No response from {reply['from']!r}: {reply['error']}")
    return escaped(f"Response from {reply['from']!r}: {_payload(reply)}")


def _payload(row: Mapping[str, Any]) -> str:
    return str(row["payload"]) if "payload" in row else f"base64:{row['payload_base64']}"
