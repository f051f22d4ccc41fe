"""A job knows whether its calls are answered in time."""

from __future__ import annotations

import time

import pytest

from bot.ports.changes import Claim
from bot.ports.deadline import Deadline
from bot.testing.cast import NINE
from bot.usecases.job import CALL_SECONDS, Job


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def begun(clock: Clock) -> Job:
    claim = Claim(member="hold:db/1", generation=1, fence=1, owed_at=NINE, tries=0, taken_over=False)
    return Job(claim, Deadline(clock.now))


def test_a_turn_that_asked_nobody_is_not_late(clock: Clock) -> None:
    job = begun(clock)
    clock.now += 100
    assert (job.has_called, job.late) == (False, False)


def test_a_call_that_takes_nearly_all_of_its_time_is_late(clock: Clock) -> None:
    job = begun(clock)
    job.call()
    clock.now += 0.8 * CALL_SECONDS
    assert (job.has_called, job.late) == (True, False)
    clock.now += 0.15 * CALL_SECONDS
    assert job.late


def test_a_call_that_was_late_stays_so_whatever_is_asked_next(clock: Clock) -> None:
    job = begun(clock)
    job.call()
    clock.now += CALL_SECONDS
    job.call()
    assert job.late


def test_a_call_that_was_answered_is_not_late_because_another_follows(clock: Clock) -> None:
    job = begun(clock)
    for _ in range(3):
        job.call()
        clock.now += 1
    assert not job.late


def test_what_follows_a_call_is_not_taken_for_waiting(clock: Clock) -> None:
    job = begun(clock)
    job.note_answer()
    assert (job.has_called, job.late) == (False, False)
    job.call()
    clock.now += 1
    job.note_answer()
    clock.now += CALL_SECONDS
    assert (job.has_called, job.late) == (True, False)


def test_a_call_that_was_answered_late_was_late(clock: Clock) -> None:
    job = begun(clock)
    job.call()
    clock.now += CALL_SECONDS
    job.note_answer()
    job.call()
    assert job.late
