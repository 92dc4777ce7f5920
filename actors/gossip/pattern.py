"""Patterns for tags and names: regular expressions that cannot hang whoever evaluates them.

What lives here: a parser for the part of the usual syntax that can be matched in linear time, and the matcher. What
does not: what is matched, and who sent the pattern.

A pattern in a query comes from another server and is evaluated by every member. The standard library's matcher tries
alternatives one after the other, and a pattern such as (a+)+b takes it exponential time; this one follows all of them
at once (Thompson, CACM 1968), so that a pattern of p characters and a text of t cost p * t steps at most.

Known are literal characters, `.`, classes such as `[a-z_]`, `[^0-9]`, `\\d`, `\\w`, `\\s` and their capitals, groups,
`|`, and `*`, `+`, `?`. A pattern stands for the whole text, as if it began with ^ and ended with $ (which it may).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

PATTERN_CHARS_MAX = 128

_Test = Callable[[str], bool]
_CLASSES: dict[str, _Test] = {
    "d": str.isdecimal,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}


class PatternError(ValueError):
    """A pattern that is none; the text says what is wrong with it, and what is known."""


class _Step(Struct, frozen=True):
    """One step of a program. test: what the next character must be; None to go on to all of `targets` at once."""

    test: _Test | None
    targets: tuple[int, ...]


class Pattern:
    """A compiled pattern."""

    def __init__(self, text: str) -> None:
        """Raises PatternError."""
        self.text = text
        self._steps = _Parser(text).program()

    def matches(self, text: str) -> bool:
        """Whether the whole text is what the pattern describes."""
        places = self._reach((0,))
        for char in text:
            after = [self._steps[place].targets[0] for place in places if self._takes(place, char)]
            if not after:
                return False
            places = self._reach(after)
        return len(self._steps) in places

    def _takes(self, place: int, char: str) -> bool:
        test = self._steps[place].test if place < len(self._steps) else None
        return test is not None and test(char)

    def _reach(self, places: tuple[int, ...] | list[int]) -> set[int]:
        """These places and all that are reached from them without a character."""
        reached: set[int] = set()
        todo = list(places)
        while todo:
            place = todo.pop()
            if place in reached:
                continue
            reached.add(place)
            if place < len(self._steps) and self._steps[place].test is None:
                todo.extend(self._steps[place].targets)
        return reached


@lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """The pattern of a text. Raises PatternError."""
    return Pattern(text)


class _Parser:
    """Turns a pattern into steps; places are relative to the piece they are in until the whole is put together."""

    def __init__(self, text: str) -> None:
        if len(text) > PATTERN_CHARS_MAX:
            raise PatternError(f"a pattern has at most {PATTERN_CHARS_MAX} characters, not {len(text)}")
        self._whole = text
        self._text = text.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._at = 0

    def program(self) -> list[_Step]:
        """All steps; the place behind the last one is the match."""
        steps = self._alternatives()
        if self._at < len(self._text):
            raise self._wrong("a ')' closes nothing")
        return steps

    def _alternatives(self) -> list[_Step]:
        steps = self._sequence()
        while self._peek() == "|":
            self._at += 1
            other = self._sequence()
            fork = _Step(None, (1, len(steps) + 2))
            leave = _Step(None, (len(other) + 1,))
            steps = [fork, *_moved(steps, 1), _moved([leave], len(steps) + 1)[0], *_moved(other, len(steps) + 2)]
        return steps

    def _sequence(self) -> list[_Step]:
        steps: list[_Step] = []
        while self._peek() not in ("", "|", ")"):
            steps += _moved(self._repeated(), len(steps))
        return steps

    def _repeated(self) -> list[_Step]:
        steps = self._one()
        while self._peek() in ("*", "+", "?"):
            sign = self._next()
            end = len(steps)
            if sign == "+":
                steps = [*steps, _Step(None, (0, end + 1))]
            elif sign == "*":
                steps = [_Step(None, (1, end + 2)), *_moved(steps, 1), _Step(None, (0,))]
            else:
                steps = [_Step(None, (1, end + 1)), *_moved(steps, 1)]
        return steps

    def _one(self) -> list[_Step]:
        char = self._next()
        if char == "(":
            if self._peek() == "?":
                raise self._wrong("groups that begin with '(?' are not known")
            steps = self._alternatives()
            if self._next() != ")":
                raise self._wrong("a '(' is not closed")
            return steps
        if char in "*+?":
            raise self._wrong(f"{char!r} repeats nothing")
        if char in "{}^$":
            raise self._wrong(f"{char!r} is not known here: write '\\{char}' for the character")
        return [_Step(self._test(char), (1,))]

    def _test(self, char: str) -> _Test:
        if char == ".":
            return lambda _: True
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escaped()
        return char.__eq__

    def _escaped(self) -> _Test:
        char = self._next()
        known = _CLASSES.get(char.lower())
        if known is not None:
            return known if char.islower() else lambda other: not known(other)
        if char == "" or char.isalnum():
            raise self._wrong(f"'\\{char}' is not known")
        return char.__eq__

    def _class(self) -> _Test:
        is_negated = self._peek() == "^"
        self._at += is_negated
        tests: list[_Test] = []
        while True:
            char = self._next()
            if char == "":
                raise self._wrong("a '[' is not closed")
            if char == "]" and tests:
                break
            tests.append(self._range(char))
        return lambda char: any(test(char) for test in tests) is not is_negated

    def _range(self, first: str) -> _Test:
        if first == "\\":
            return self._escaped()
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return first.__eq__
        self._at += 1
        last = self._next()
        if last == "\\" or last < first:
            raise self._wrong(f"'{first}-{last}' is no range")
        return lambda char: first <= char <= last

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _wrong(self, what: str) -> PatternError:
        return PatternError(f"{self._whole!r} is no pattern: {what}")


def _moved(steps: list[_Step], by: int) -> list[_Step]:
    return [_Step(step.test, tuple(target + by for target in step.targets)) for step in steps]
