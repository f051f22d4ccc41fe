"""Whether a turn's calls are answered in time."""

from __future__ import annotations

import time

import pytest

from bot.ports import Claim, Deadline
from bot.testing.town import NINE
from bot.usecases.turn import CALL_SECONDS, Turn


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def begun(clock: Clock) -> Turn:
    claim = Claim(member="hold:db/1", generation=1, fence=1, owed_at=NINE, tries=0, taken_over=False)
    return Turn(claim, Deadline(clock.now))


def test_a_turn_that_asked_nobody_is_not_late(clock: Clock) -> None:
    turn = begun(clock)
    clock.now += 100
    assert (turn.has_called, turn.late) == (False, False)


def test_a_call_that_takes_nearly_all_of_its_time_is_late(clock: Clock) -> None:
    turn = begun(clock)
    turn.call()
    clock.now += 0.8 * CALL_SECONDS
    assert (turn.has_called, turn.late) == (True, False)
    clock.now += 0.15 * CALL_SECONDS
    assert turn.late


def test_a_call_that_was_late_stays_so_whatever_is_asked_next(clock: Clock) -> None:
    turn = begun(clock)
    turn.call()
    clock.now += CALL_SECONDS
    turn.call()
    assert turn.late


def test_a_call_that_was_answered_is_not_late_because_another_follows(clock: Clock) -> None:
    turn = begun(clock)
    for _ in range(3):
        turn.call()
        clock.now += 1
    assert not turn.late


def test_what_follows_a_call_is_not_taken_for_waiting(clock: Clock) -> None:
    turn = begun(clock)
    turn.note_answer()
    assert (turn.has_called, turn.late) == (False, False)
    turn.call()
    clock.now += 1
    turn.note_answer()
    clock.now += CALL_SECONDS
    assert (turn.has_called, turn.late) == (True, False)


def test_a_call_that_was_answered_late_was_late(clock: Clock) -> None:
    turn = begun(clock)
    turn.call()
    clock.now += CALL_SECONDS
    turn.note_answer()
    turn.call()
    assert turn.late
