"""How long a call waits for replicas that have not confirmed lately. The clock is simulated here;
test_replicas uses real replicas."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.commands.core import Script

from bot.ledger.copies import COPIED_WITHIN, SILENT_FOR, Argument, Copied

ACKNOWLEDGES_AFTER = timedelta(milliseconds=8)


class Slowly(Copied):
    """A client whose replica confirms after eight milliseconds, once it answers at all."""

    def __init__(self) -> None:
        super().__init__(Redis(), (), 1)
        self.away = True
        self.waits: list[timedelta] = []

    def _run_and_wait(self, verb: str, text: Argument, *_: Any, within: timedelta) -> list[Any]:
        self.waits.append(within)
        there = not self.away and within >= ACKNOWLEDGES_AFTER
        return ["primary", int(there)]


def test_one_miss_does_not_make_every_later_wait_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    copied, mark = Slowly(), Script(Redis(), "return 1")
    assert not copied.wait_for_replicas(mark, "primary")
    copied.away = False
    answers = []
    for _ in range(int(SILENT_FOR)):
        now[0] += 1
        answers.append(copied.wait_for_replicas(mark, "primary"))
    assert answers == [False, False, False, False, True]
    assert copied.waits[-1] == COPIED_WITHIN
    assert copied.wait_for_replicas(mark, "primary"), "and from now on nobody hurries"
