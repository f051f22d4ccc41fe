"""The promises of the port for on-call sources, tested with each source."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

import bot.oncall
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.doubles.pagerduty import Pager, serve
from bot.oncall.pagerduty.source import PagerDuty
from bot.ports.deadline import Deadline
from bot.ports.oncall import OnCallSource
from tests.oncall.conftest import HOUR, NOW, SINCE, TOKEN, UNTIL

ADA, BOB = "ada@example.com", "bob@example.com"


class Stage(Protocol):
    """A source named ``rota`` with two schedules, ``first`` and ``second``, on which nobody is on call."""

    first: str
    second: str

    @property
    def source(self) -> OnCallSource: ...

    def on_call(self, schedule: str, email: str, start: datetime, end: datetime) -> None: ...

    def cover(self, schedule: str, email: str, start: datetime, end: datetime) -> None:
        """Put this person on call instead of anyone who is on call then."""
        ...

    def empty_by_mistake(self, schedule: str) -> None:
        """Answer that nobody is on call if many schedules are read at once."""
        ...

    def forget(self, schedule: str) -> None: ...

    def hide_email(self, email: str) -> str:
        """Show this person without an email address from now on; return the source's id of them."""
        ...

    def go_down(self) -> None: ...

    def refuse_us(self) -> None: ...

    def take_for_ever(self) -> None: ...


class PagerDutyStage:
    first, second = "PFIRST", "PSECOND"

    def __init__(self, pager: Pager, url: str) -> None:
        self._pager = pager
        self.source = PagerDuty("rota", TOKEN, url)

    def on_call(self, schedule: str, email: str, start: datetime, end: datetime) -> None:
        self._pager.add_shift(schedule, email, start, end)

    def cover(self, schedule: str, email: str, start: datetime, end: datetime) -> None:
        self._pager.override(schedule, email, start, end)

    def empty_by_mistake(self, schedule: str) -> None:
        self._pager.faults.unseen = frozenset({schedule})

    def forget(self, schedule: str) -> None:
        self._pager.remove_schedule(schedule)

    def hide_email(self, email: str) -> str:
        user = self._pager.user(email)
        self._pager.add_user(user.id, user.name, "")
        return user.id

    def go_down(self) -> None:
        self._pager.faults.down = True

    def refuse_us(self) -> None:
        self._pager.token = "another"

    def take_for_ever(self) -> None:
        self._pager.faults.slow = 3600


@contextmanager
def pagerduty() -> Iterator[Stage]:
    pager = Pager(TOKEN, clock=lambda: NOW)
    pager.add_user("PADA", "Ada", ADA.title())
    pager.add_user("PBOB", "Bob", BOB)
    for each in (PagerDutyStage.first, PagerDutyStage.second):
        pager.add_schedule(each)
    with serve(pager) as served:
        yield PagerDutyStage(pager, served.url)


STAGES: dict[str, Callable[[], AbstractContextManager[Stage]]] = {
    "pagerduty": pagerduty,
}


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with STAGES[request.param]() as stage:
        yield stage


def soon() -> Deadline:
    return Deadline.after(20)


def test_no_source_is_missing_here() -> None:
    assert {each.name for each in pkgutil.iter_modules(bot.oncall.__path__)} == set(STAGES)


def test_a_shift_is_told_under_the_sources_name_in_utc_and_small_letters(stage: Stage) -> None:
    stage.on_call(stage.first, ADA, NOW, NOW + HOUR)
    found = stage.source.shifts([stage.first], SINCE, UNTIL, soon())
    (told,) = found[stage.first]
    assert (told.schedule, told.email, told.level) == (f"rota/{stage.first}", ADA, 1)
    assert (told.start, told.end) == (NOW, NOW + HOUR)
    assert told.start is not None
    assert told.end is not None
    assert told.start.tzinfo is told.end.tzinfo is UTC


def test_there_is_an_answer_for_each_schedule_asked_and_no_other(stage: Stage) -> None:
    stage.on_call(stage.first, ADA, NOW, NOW + HOUR)
    found = stage.source.shifts([stage.first, stage.second], SINCE, UNTIL, soon())
    assert {name: len(each) for name, each in found.items()} == {stage.first: 1, stage.second: 0}
    assert set(stage.source.shifts([stage.second], SINCE, UNTIL, soon())) == {stage.second}
    assert stage.source.shifts([], SINCE, UNTIL, soon()) == {}


def test_a_cover_is_applied_and_the_shift_goes_on_behind_it(stage: Stage) -> None:
    stage.on_call(stage.first, ADA, NOW, NOW + 8 * HOUR)
    stage.cover(stage.first, BOB, NOW + HOUR, NOW + 2 * HOUR)
    found = stage.source.shifts([stage.first], SINCE, UNTIL, soon())[stage.first]
    assert [(each.email, each.start, each.end) for each in found] == [
        (ADA, NOW, NOW + HOUR),
        (BOB, NOW + HOUR, NOW + 2 * HOUR),
        (ADA, NOW + 2 * HOUR, NOW + 8 * HOUR),
    ]


def test_adjoining_shifts_of_one_person_are_one(stage: Stage) -> None:
    stage.on_call(stage.first, ADA, NOW, NOW + HOUR)
    stage.on_call(stage.first, ADA, NOW + HOUR, NOW + 2 * HOUR)
    found = stage.source.shifts([stage.first], SINCE, UNTIL, soon())[stage.first]
    assert [(each.start, each.end) for each in found] == [(NOW, NOW + 2 * HOUR)]


def test_a_shift_that_only_reaches_into_the_window_is_told_whole(stage: Stage) -> None:
    stage.on_call(stage.first, ADA, NOW - 8 * HOUR, NOW + 8 * HOUR)
    for found in (
        stage.source.shifts([stage.first], NOW, NOW + HOUR, soon())[stage.first],
        stage.source.confirm(stage.first, NOW, NOW + HOUR, soon()) or (),
    ):
        assert [(each.start, each.end) for each in found] == [(NOW - 8 * HOUR, NOW + 8 * HOUR)]


def test_the_second_look_sees_what_the_first_one_missed(stage: Stage) -> None:
    stage.on_call(stage.first, ADA, NOW, NOW + HOUR)
    right = stage.source.shifts([stage.first], SINCE, UNTIL, soon())[stage.first]
    stage.empty_by_mistake(stage.first)
    assert stage.source.shifts([stage.first], SINCE, UNTIL, soon())[stage.first] == ()
    found = stage.source.confirm(stage.first, SINCE, UNTIL, soon())
    assert found is not None
    assert [replace(each, level=1) for each in found] == list(right)


def test_somebody_without_an_email_is_shown_by_their_id_and_stops_nobody_else(stage: Stage) -> None:
    stage.on_call(stage.first, BOB, NOW, NOW + HOUR)
    stage.on_call(stage.second, ADA, NOW, NOW + HOUR)
    bob = stage.hide_email(BOB)
    found = stage.source.shifts([stage.first, stage.second], SINCE, UNTIL, soon())
    second = stage.source.confirm(stage.first, SINCE, UNTIL, soon()) or ()
    assert [(each.email, each.user) for each in found[stage.first]] == [("", bob)]
    assert [(each.email, each.user) for each in second] == [("", bob)]
    assert [(each.email, each.user) for each in found[stage.second]] == [(ADA, "")]


def test_nobody_is_not_the_same_as_no_such_schedule(stage: Stage) -> None:
    assert stage.source.confirm(stage.first, SINCE, UNTIL, soon()) == ()
    stage.forget(stage.first)
    assert stage.source.confirm(stage.first, SINCE, UNTIL, soon()) is None
    assert stage.source.shifts([stage.first], SINCE, UNTIL, soon()) == {stage.first: ()}


def test_a_source_that_is_down_is_a_temporary_failure(stage: Stage) -> None:
    stage.go_down()
    with pytest.raises(TemporaryFailure):
        stage.source.shifts([stage.first], SINCE, UNTIL, soon())
    with pytest.raises(TemporaryFailure):
        stage.source.confirm(stage.first, SINCE, UNTIL, soon())


def test_refused_credentials_are_a_case_for_a_human(stage: Stage) -> None:
    stage.refuse_us()
    with pytest.raises(PermanentFailure):
        stage.source.shifts([stage.first], SINCE, UNTIL, soon())
    with pytest.raises(PermanentFailure):
        stage.source.confirm(stage.first, SINCE, UNTIL, soon())


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_deadline_is_kept(stage: Stage, seconds: float) -> None:
    stage.take_for_ever()
    with pytest.raises(TemporaryFailure):
        stage.source.shifts([stage.first], SINCE, UNTIL, Deadline.after(seconds))
    with pytest.raises(TemporaryFailure):
        stage.source.confirm(stage.first, SINCE, UNTIL, Deadline.after(seconds))
