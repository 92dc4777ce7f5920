"""How answers look to people: members, Raft peers, actors and the like as text, for the command line and the console.

What lives here: pure functions from the JSON-like answers of the gateway to plain text.  What does not: colours, boxes
and terminals; the same text goes to a terminal, a pipe and the console's thread.  The JSON is for scripts and stable;
this text is for eyes and is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from transport.text import escaped

ID_CHARS = 8
"""As much of an id as tells servers apart by eye."""

_GAP = "  "
_NONE = "-"

Row = Mapping[str, Any]


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Left-aligned columns under their headers, without boxes, no blanks at the ends of lines."""
    lines = [list(headers), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def fields(pairs: Iterable[tuple[str, object]]) -> str:
    """One `name  value` a line, the values aligned."""
    shown = [(name, _cell(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}{_GAP}{value}".rstrip() for name, value in shown)


def members_view(members: Sequence[Row]) -> str:
    """The members as gossip sees them."""
    return table(
        ("NAME", "ADDRESS", "STATUS", "ROLE", "ID", "TAGS"),
        (
            (m["name"], m["address"], m["status"], m.get("role"), _short(m["id"]), _tags(m.get("tags") or {}))
            for m in members
        ),
    )


def members_detailed_view(members: Sequence[Row]) -> str:
    """The members with all that is known of them: whole ids, for how long they have their status, how far they are."""
    return table(
        ("NAME", "ADDRESS", "STATUS", "FOR", "ROLE", "RTT", "INCARNATION", "ID", "TAGS"),
        (
            (
                m["name"],
                m["address"],
                m["status"],
                _duration(m["status_age_s"]),
                m.get("role"),
                None if m["rtt_ms"] is None else f"{m['rtt_ms']:.3f} ms",
                m["incarnation"],
                m["id"],
                _tags(m.get("tags") or {}),
            )
            for m in members
        ),
    )


def info_view(info: Row) -> str:
    """The sections, each with its sorted values, as Serf prints them."""
    lines = []
    for section, values in info.items():
        lines += [f"{section}:", *(f"\t{_cell(key)} = {_cell(value)}" for key, value in sorted(values.items()))]
    return "\n".join(lines)


def rtt_view(answer: Row) -> str:
    """The estimate, in Serf's words."""
    return f"Estimated {_cell(answer['from'])} <-> {_cell(answer['to'])} rtt: {answer['rtt_ms']:.3f} ms"


def tags_view(answer: Row) -> str:
    """A server's tags after a change."""
    return f"{_cell(answer['name'])} has {_cell(_tags(answer['tags'])) if answer['tags'] else 'no tags'}"


def why_view(report: Row) -> str:
    """Why a member has its status: the member, then what was seen, oldest first."""
    member = report["member"]
    return "\n".join(
        [f"{_cell(member['name'])} at {member['address']} is {member['status']}", *map(_step, report["why"])]
    )


def peers_view(peers: Sequence[Row]) -> str:
    """The Raft configuration, what each server has or is being sent, and the reason of the last change or of none."""
    return table(
        ("NAME", "ADDRESS", "STATUS", "ROLE", "VOTER", "MATCH", "LAG", "SNAPSHOT", "ID", "REASON"),
        (
            (
                p["name"],
                p["address"],
                p.get("status"),
                p["role"],
                p["voter"],
                p.get("match_index"),
                p.get("lag"),
                _transfer(p.get("snapshot")),
                _short(p["id"]),
                p.get("reason"),
            )
            for p in peers
        ),
    )


def status_view(status: Row) -> str:
    """One server's view of itself and its cluster."""
    members = status.get("members") or {}
    return fields(
        [
            ("server", f"{status['node']} ({_short(status['id'])}) at {status.get('address', _NONE)}"),
            ("cluster", status["cluster_id"] or _unjoined(status)),
            ("role", status["role"]),
            ("leader", status["leader"] or "none"),
            ("term", status["term"]),
            ("quorum", _quorum(status)),
            ("voters", ", ".join(status["voters"])),
            ("standbys", ", ".join(status["standbys"])),
            ("members", ", ".join(f"{count} {state}" for state, count in members.items())),
            ("looking for", "; ".join(map(_seek, status.get("seeking") or ())) or "nobody"),
            *((("turned away", _turned_away(one))) for one in status.get("turned_away") or ()),
            ("log", f"commit {status['commit_index']}, applied {status['applied_index']}"),
            *([("diverged", f"YES: {status['divergence']}")] if status.get("divergence") else ()),
            ("http", status.get("http") or "off"),
            ("console", status.get("monitor_port") or "off"),
            ("data", status.get("data_dir")),
            ("up", _duration(status.get("uptime_s"))),
            ("version", status.get("version")),
        ]
    )


def _quorum(status: Row) -> str:
    if not status["voters"]:
        return "NO: this server is in no Raft configuration"
    return "yes" if status.get("quorum") else "NO: writes and linearizable reads cannot be served"


def _unjoined(status: Row) -> str:
    mustering = "; ".join(status.get("mustering") or ())
    return (
        f"none yet: it starts one when all are ready ({mustering})" if mustering else "none yet: it has not joined one"
    )


def _turned_away(refusal: Row) -> str:
    return f"{refusal['name'] or 'a server'} at {refusal['address']}, {refusal['age_s']:g} s ago: {refusal['reason']}"


def health_view(health: Row) -> str:
    """The checks, each with its finding, under the verdict."""
    head = f"{health['node']} is {'healthy' if health['healthy'] else 'UNHEALTHY'}"
    lines = [f"[{'+' if check['ok'] else '-'}]{check['name']}: {check['detail']}" for check in health["checks"]]
    return "\n".join([head, *lines])


def list_view(rows: Sequence[Row]) -> str:
    """Rows of one shape, such as actors or mailboxes: every key a column, in the order of the first row."""
    if not rows:
        return "none"
    keys = [key for key, value in rows[0].items() if not isinstance(value, Mapping | list)]
    return table([key.upper().replace("_", " ") for key in keys], ([row.get(key) for key in keys] for row in rows))


def actors_view(actors: Sequence[Row]) -> str:
    """The actors with their incarnation, state and mailbox."""
    return table(
        ("NAME", "INCARNATION", "STATE", "RESTARTS", "MAILBOX", "HANDLED", "LAST ERROR"),
        (
            (a["name"], a["incarnation"], a["state"], a["restarts"], a["mailbox"], a["handled"], a.get("last_error"))
            for a in actors
        ),
    )


def tree_view(tree: Sequence[Row]) -> str:
    """The supervision tree, each child under its supervisor."""
    return "\n".join(line for supervisor in tree for line in _branch(supervisor, 0))


def dead_letters_view(letters: Row) -> str:
    """What could not be delivered, latest first."""
    if not letters["total"]:
        return "no dead letters"
    rows = (
        (_clock(letter["time"]), letter["count"], letter["kind"], letter["to"], letter["sender"], letter["reason"])
        for letter in letters["letters"]
    )
    listed = table(("LAST", "COUNT", "KIND", "TO", "FROM", "REASON"), rows)
    return f"{listed}\n{letters['total']} in all"


def _branch(node: Row, depth: int) -> list[str]:
    incarnation = f"@{node['incarnation']}" if node.get("incarnation") is not None else ""
    about = ", ".join(str(node[key]) for key in ("strategy", "state") if node.get(key))
    lines = [f"{_GAP * depth}{node['name']}{incarnation}{_GAP}{about}".rstrip()]
    for child in node.get("children") or []:
        lines += _branch(child, depth + 1)
    return lines


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    # What a peer or a client chose (names, tags, keys) must not move the cursor of whoever looks at it.
    return _NONE if value is None or value == "" else escaped(str(value))


def _short(server_id: str) -> str:
    return server_id[:ID_CHARS]


def _transfer(transfer: Row | None) -> str:
    """How much of a snapshot has arrived."""
    if transfer is None:
        return ""
    share = transfer["chunks"] / transfer["chunks_total"]
    return f"{share:.0%} of {transfer['bytes_total'] / 2**20:.1f} MiB"


def _tags(tags: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(tags.items()))


def _step(step: Row) -> str:
    by = f"by {_cell(step['by'])}" if step["by"] else ""
    said = ": ".join(filter(None, [by, step["detail"] and _cell(step["detail"])]))
    return f"  {step['age_s']:g} s ago  {step['event']}{_GAP}{said}".rstrip()


def _seek(seek: Row) -> str:
    """One address that is tried, with what came of it so far and when it is tried again."""
    again = "asked now" if seek["next_try_s"] is None else f"again in {seek['next_try_s']:g} s"
    tries = f"{seek['attempts']} {'try' if seek['attempts'] == 1 else 'tries'}"
    return ", ".join(filter(None, [f"{seek['address']} ({tries}", seek["error"], f"{again})"]))


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " ".join(shown[:2]) or "0 s"
