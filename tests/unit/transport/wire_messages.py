"""Messages registered for the tests of the codec."""

from msgspec import Struct

from transport.wire import message


@message("test.sample")
class Sample(Struct, frozen=True):
    """A message with the shapes real ones have; `Nested` is defined below it on purpose."""

    name: str
    entries: list[tuple[bytes, int, int]]
    nested: "Nested"


class Nested(Struct, frozen=True):
    """Part of a message."""

    one: int
    some: tuple[str, int | None]


@message("test.urgent", urgent=True, retry=False)
class Urgent(Struct, frozen=True):
    """A message of the control lane."""
