"""A telnet client that is just enough of a terminal for aiomonitor's console."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

IAC, SB, SE, WILL, NAWS, TERMINAL_TYPE = b"\xff", b"\xfa", b"\xf0", b"\xfb", b"\x1f", b"\x18"
# prompt_toolkit waits for the window's size before it shows a prompt: 200 columns, 50 lines.
SIZE = IAC + WILL + NAWS + IAC + SB + NAWS + b"\x00\xc8\x00\x32" + IAC + SE
TYPE = IAC + WILL + TERMINAL_TYPE + IAC + SB + TERMINAL_TYPE + b"\x00xterm" + IAC + SE
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|[()][A-Z0-9]|[=>])")
# Before each prompt it asks where the cursor is, and without an answer it waits two seconds.
CURSOR_ASKED, CURSOR_AT_TOP = b"\x1b[6n", b"\x1b[1;1R"
READ_TIMEOUT_S = 10.0


class Telnet:
    """One session at the console's prompt."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._text = ""

    @classmethod
    async def open(cls, port: int) -> Telnet:
        """Connect and say what a terminal says first."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SIZE + TYPE)
        return cls(reader, writer)

    @classmethod
    async def open_when_bound(cls, port: int) -> Telnet:
        """Connect as soon as somebody listens."""
        async with asyncio.timeout(READ_TIMEOUT_S):
            while True:
                with suppress(ConnectionRefusedError):
                    return await cls.open(port)
                await asyncio.sleep(0.01)

    async def until_closed(self) -> None:
        """Wait until the other side hangs up."""
        async with asyncio.timeout(READ_TIMEOUT_S):
            while await self._reader.read(4096):
                pass

    def type(self, text: str) -> None:
        """Press these keys."""
        self._writer.write(text.encode())

    async def until(self, pattern: str) -> str:
        """Read until the screen has shown `pattern` since the last call, and return what it showed."""
        async with asyncio.timeout(READ_TIMEOUT_S):
            while not (found := re.search(pattern, self._text)):
                part = await self._reader.read(4096)
                assert part, f"the console hung up before it showed {pattern!r}: {self._text!r}"
                self._writer.write(CURSOR_AT_TOP * part.count(CURSOR_ASKED))
                self._text += ESCAPES.sub("", part.decode("utf-8", "replace"))
        shown, self._text = self._text[: found.end()], self._text[found.end() :]
        return shown

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()
