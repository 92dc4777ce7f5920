"""Text that somebody else chose, made fit for a line: nothing in it moves a cursor or begins a line of its own.

What lives here: pure functions on text.  What does not: what a name or a key may be (whoever takes it checks that).
"""

from __future__ import annotations

from shlex import quote
from typing import Final

_BYTES_BEGIN: Final = 0xDC80
_BYTES_END: Final = 0xDCFF
_BYTE_OFFSET: Final = 0xDC00
"""Python reads a byte of the command line that is no UTF-8 as the character with this number added (PEP 383)."""

SHOWN_CHARS_MAX: Final = 40


def escaped(text: str) -> str:
    r"""The text with everything that is not printable written as \xNN."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def escaped_lines(text: str) -> str:
    """Escaped text of several lines; those behind the first are indented, so that none can pass for another's first."""
    return "\n  ".join(map(escaped, text.split("\n")))


def shortened(text: str, limit: int = SHOWN_CHARS_MAX) -> str:
    """The text, escaped, in quotes, and cut when it is long: for a line that names what is wrong with it."""
    return f"'{escaped(text if len(text) <= limit else text[: limit - 3] + '...')}'"


def text_of(error: BaseException) -> str:
    """An exception in one line: its type and its text."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


def counted(number: int, noun: str) -> str:
    """The number with its noun, which takes an s in the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shell_quoted(text: str) -> str:
    r"""The text as one word for a shell that is bash or the like; control characters become \xNN in $'…'."""
    if text.isprintable():
        return quote(text)
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    escapes = "".join(c if c.isprintable() else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in plain)
    return f"$'{escapes}'"


def is_utf8(text: str) -> bool:
    """Whether the text can be sent: a text of bytes that are no UTF-8 cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code - _BYTE_OFFSET if _BYTES_BEGIN <= code <= _BYTES_END else code:02x}"
