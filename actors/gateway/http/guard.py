"""What a request must be before any path looks at it: meant for this server, and text that decodes.

What lives here: one check, and the log line of what is no HTTP at all.  What does not: paths (api.py).

The API knows no passwords: on a loopback address its only guard is that nobody else reaches it.  A web page that the
user of this machine looks at could, by a name whose address changes to 127.0.0.1 once the page is loaded (DNS
rebinding).  Its browser still sends that name as the Host, so a loopback address answers to loopback names alone.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from transport.address import is_loopback
from transport.text import shortened

if TYPE_CHECKING:
    from transport.address import Address

LINE_CHARS_MAX: Final = 120
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")

request_log = logging.getLogger("quorate.http.requests")
"""Where aiohttp says what is wrong with a request."""


class GuardError(Exception):
    """A request that no path gets to see: its status, its code, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def check_request(request: web.Request, bound: Address) -> None:
    """Raise GuardError for a request that is for another server, or whose path or query is no UTF-8 text."""
    host = _host(request.headers.get("Host", ""))
    if host and bound.is_loopback and not is_loopback(host) and host != bound.host.lower():
        raise GuardError(
            web.HTTPMisdirectedRequest.status_code,
            "misdirected_request",
            f"this server answers to localhost and {bound.host}, not to the Host {shortened(host)}",
        )
    target = request.raw_path
    try:
        unquote_to_bytes(target).decode()
        is_text = _BAD_ESCAPE.search(target) is None
    except UnicodeError:
        is_text = False
    if not is_text:
        raise GuardError(400, "bad_request", f"{shortened(target)} is not URL-encoded UTF-8 text")


def as_one_line(record: logging.LogRecord) -> bool:
    """A log filter: what is wrong with a request is not wrong with this server, and needs no traceback.

    That somebody went away in the middle of a request or of its answer is nothing to be told at all.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConnectionError):
        return False
    if isinstance(error, HttpProcessingError):
        why = " ".join(error.message.split())
        record.msg, record.args = f"{record.getMessage()}: {shortened(why, LINE_CHARS_MAX)}", ()
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
    return True


request_log.addFilter(as_one_line)


def _host(header: str) -> str:
    """The host of a Host header, without the port, brackets and a final dot; "" when there is none."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
