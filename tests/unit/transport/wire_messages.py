"""Messages registered for the tests of the codec."""

from attrs import frozen

from transport.wire import message


@message("test.sample")
@frozen
class Sample:
    """A message with the shapes real ones have; `Nested` is defined below it on purpose."""

    name: str
    entries: list[tuple[bytes, int, int]]
    nested: "Nested"


@frozen
class Nested:
    """Part of a message."""

    one: int
    some: tuple[str, int | None]


@message("test.urgent", urgent=True, retry=False)
@frozen
class Urgent:
    """A message of the control lane."""
