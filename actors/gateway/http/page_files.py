"""The status page: the files of page/, as they are, under `/` and `/page/`.

What lives here: which files there are, and headers that keep a browser from running anything else beside them.  What
does not: what the page shows, which it fetches from the API as any client would (page/*.js).

Names, tags, keys and values on the page were chosen by others.  The page puts them in as text; should it ever slip, the
policy lets no inline script, no other origin and no frame in.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from msgspec import Struct

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

FOLDER: Final = Path(__file__).parent / "page"
INDEX: Final = "index.html"

TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked for again each time, and sent again only when it has changed: a page and a server of two releases never mix.
    "Cache-Control": "no-cache",
}


class _Asset(Struct, frozen=True):
    body: bytes
    content_type: str
    etag: str


def add_page(app: web.Application) -> None:
    """Serve the page.  Its files are read now, once: they are small, and no path of a request reaches the disk."""
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in TYPES:
            url = "/" if path.name == INDEX else f"/page/{path.name}"
            app.router.add_get(url, _serving(_read(path)))


def _read(path: Path) -> _Asset:
    body = path.read_bytes()
    return _Asset(body, TYPES[path.suffix], sha256(body).hexdigest()[:32])


def _serving(asset: _Asset) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        known = request.if_none_match or ()
        response = web.Response(headers=HEADERS)
        if any(tag.value == asset.etag for tag in known):
            response.set_status(304)
        else:
            response.body = asset.body
            response.content_type, response.charset = asset.content_type, "utf-8"
        response.etag = asset.etag
        return response

    return answer
