"""The recorder: notes what clients ask and are told, as it happens.

What lives here: when an operation began and ended, and what its client knows then. What does not: clients, and the
judgement (checker.py). The clock is the caller's, so that a simulation records its own time; it must never go back,
and be one for all clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from attrs import define, evolve

from tests.linearizability.history import History
from tests.linearizability.operation import Operation, Outcome, Value
from transport.client.errors import ClientError


@define
class Pending:
    """An operation that is under way. result: what the client was told, set before the block ends."""

    result: Value = None


def is_certain_failure(error: BaseException) -> bool:
    """Whether an error says that the operation was not carried out, and will not be."""
    return isinstance(error, ClientError) and error.certainly_not_applied


class Recorder:
    """Records the operations of many clients. clock: seconds. failed: which errors mean "certainly not carried out".

    noted: is given each operation when it has begun, and again when it has ended.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        failed: Callable[[BaseException], bool] = is_certain_failure,
        noted: Callable[[Operation], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._failed = failed
        self._noted = noted
        self._operations: list[Operation] = []

    @contextmanager
    def operation(self, client: str, key: str, function: str, *arguments: Value) -> Iterator[Pending]:
        """Record what happens in the block, awaits included, as one operation:

            with recorder.operation("c1", "k", "read") as operation:
                operation.result = await read("k")

        A block that ends is ok. One that raises has failed if the error says so, else its outcome is unknown: so with
        time-outs and cancellation. The error goes on to the caller.
        """
        begun = Operation(
            number=len(self._operations) + 1,
            client=client,
            key=key,
            function=function,
            arguments=arguments,
            outcome=Outcome.UNKNOWN,
            result=None,
            invoked_s=self._clock(),
            returned_s=inf,
        )
        self._operations.append(begun)
        self._noted(begun)
        pending = Pending()
        try:
            yield pending
        except BaseException as error:
            self._end(begun, Outcome.FAILED if self._failed(error) else Outcome.UNKNOWN, None)
            raise
        self._end(begun, Outcome.OK, pending.result)

    def history(self) -> History:
        """Everything so far. What is under way has an unknown outcome."""
        return History(self._operations)

    def _end(self, begun: Operation, outcome: Outcome, result: Value) -> None:
        ended = evolve(begun, outcome=outcome, result=result, returned_s=self._clock())
        self._operations[begun.number - 1] = ended
        self._noted(ended)
