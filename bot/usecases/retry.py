"""Decides again if somebody else was faster, and answers a repeated op as it was answered the first time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from bot.core.errors import Conflict, Refused, TemporaryFailure
from bot.core.reasons import Reason, Why
from bot.ports.changes import Committed

T = TypeVar("T")

MOST_ATTEMPTS = 10
_REFUSED = "refused "


def retry_conflicts(attempt: Callable[[], T]) -> T:
    """Call ``attempt``, which decides and commits, again after each Conflict; at most ten times. Raises
    TemporaryFailure after that."""
    for _ in range(MOST_ATTEMPTS):
        try:
            return attempt()
        except Conflict:
            continue
    raise TemporaryFailure("too much is changing at once")


def refusal_answer(reason: Reason) -> str:
    """Return a refusal in the form of an op's answer."""
    return _REFUSED + json.dumps({"why": reason.why, "facts": dict(reason.facts)})


def earlier_answer(receipt: Committed) -> str:
    """Return what the same op was answered when it was first done, such as the id of its grant. Raises
    Refused if it was refused then."""
    if receipt.answer.startswith(_REFUSED):
        told = json.loads(receipt.answer.removeprefix(_REFUSED))
        raise Refused(Reason(why=Why(told["why"]), facts=told["facts"]))
    return receipt.answer
