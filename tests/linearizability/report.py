"""A verdict for people: one line if all is well, and an explanation of each key that is not."""

from __future__ import annotations

from typing import Any

from tests.linearizability.checker import BUDGET_STEPS, Answer, Verdict
from tests.linearizability.explain import explain
from tests.linearizability.history import History
from tests.linearizability.models import Model
from tests.linearizability.timeline import render

EXPLAINED_MAX = 3
NAMED_MAX = 10


def report(history: History, model: Model[Any], verdict: Verdict, budget_steps: int = BUDGET_STEPS) -> str:
    """What a test prints. The budget is for each key that is explained."""
    clients = len({operation.client for operation in history})
    keys = history.by_key()
    size = f"{len(history)} operations of {clients} clients on {len(keys)} keys"
    lines = [f"{size}: {verdict.answer.value} ({verdict.steps} steps)"]
    for answer in (Answer.NO, Answer.UNDECIDED):
        if found := verdict.of(answer):
            lines.append(f"{answer.value}: {_listed(found)}")
    for key in verdict.of(Answer.NO)[:EXPLAINED_MAX]:
        explanation = explain(keys[key], model, budget_steps)
        lines.append("")
        lines.append(render(explanation, model) if explanation else f"key {key!r}: the budget is too small to say why")
    return "\n".join(lines)


def _listed(keys: list[str]) -> str:
    named = ", ".join(map(repr, keys[:NAMED_MAX]))
    return named if len(keys) <= NAMED_MAX else f"{named} and {len(keys) - NAMED_MAX} more keys"
