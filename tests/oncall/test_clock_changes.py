"""Shifts around the nights when clocks change are read as exact moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.doubles.pagerduty import Pager, answers
from bot.oncall.pagerduty.answers import Assignment, Entry, Row
from bot.oncall.pagerduty.source import PagerDuty
from bot.ports.deadline import Deadline
from tests.oncall.conftest import HOUR
from tests.oncall.pagerduty.test_source import ADA, BOB, CAROL, soon, who

CHANGES = {
    "Europe/Berlin": (
        (datetime(2026, 3, 29, 1, tzinfo=UTC), "+01:00", "+02:00"),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), "+02:00", "+01:00"),
    ),
    "America/New_York": (
        (datetime(2026, 3, 8, 7, tzinfo=UTC), "-05:00", "-04:00"),
        (datetime(2026, 11, 1, 6, tzinfo=UTC), "-04:00", "-05:00"),
    ),
}
EACH = [(zone, *change) for zone, changes in CHANGES.items() for change in changes]
"""Where, when by UTC, and the offsets before and after."""


@pytest.fixture(params=EACH, ids=lambda change: f"{change[0]} {change[1]:%B}")
def change(request: pytest.FixtureRequest, pager: Pager) -> datetime:
    moment: datetime
    zone, moment, before, after = request.param
    pager.clock, pager.zone = lambda: moment - timedelta(days=1), ZoneInfo(zone)
    told = answers.teller({}, pager.zone)
    assert [str(told(moment + ahead))[-6:] for ahead in (-HOUR, timedelta())] == [before, after]
    return moment


def read(pagerduty: PagerDuty, change: datetime) -> list[tuple[str, datetime | None, datetime | None]]:
    """Read the shifts both ways, which must agree."""
    since, until = change - timedelta(days=2), change + timedelta(days=2)
    found = pagerduty.shifts(["PDBPRIM"], since, until, soon())["PDBPRIM"]
    assert who(pagerduty.confirm("PDBPRIM", since, until, Deadline.after(20))) == who(found)
    assert {each.tzinfo for shift in found for each in (shift.start, shift.end) if each} <= {UTC}
    return who(found)


def test_a_shift_may_end_at_the_change(pager: Pager, pagerduty: PagerDuty, change: datetime) -> None:
    pager.add_shift("PDBPRIM", "PADA", change - 8 * HOUR, change)
    pager.add_shift("PDBPRIM", "PBOB", change, change + 8 * HOUR)
    assert read(pagerduty, change) == [
        (ADA, change - 8 * HOUR, change),
        (BOB, change, change + 8 * HOUR),
    ]


def test_hours_that_look_the_same_are_two(pager: Pager, pagerduty: PagerDuty, change: datetime) -> None:
    """In autumn, the half hours around the change have the same names twice, with different offsets."""
    half = HOUR / 2
    pager.add_shift("PDBPRIM", "PADA", change - HOUR, change - half)
    pager.add_shift("PDBPRIM", "PBOB", change - half, change + half)
    pager.add_shift("PDBPRIM", "PCAROL", change + half, change + HOUR)
    assert read(pagerduty, change) == [
        (ADA, change - HOUR, change - half),
        (BOB, change - half, change + half),
        (CAROL, change + half, change + HOUR),
    ]


def test_shifts_that_adjoin_at_the_change_are_one(
    pager: Pager, pagerduty: PagerDuty, change: datetime
) -> None:
    pager.add_shift("PDBPRIM", "PADA", change - 8 * HOUR, change)
    pager.add_shift("PDBPRIM", "PADA", change, change + 8 * HOUR)
    assert read(pagerduty, change) == [(ADA, change - 8 * HOUR, change + 8 * HOUR)]


def test_a_gap_of_the_hour_that_comes_twice_is_a_gap(
    pager: Pager, pagerduty: PagerDuty, change: datetime
) -> None:
    """In autumn, the first shift ends at the same time of day at which the second begins."""
    half = HOUR / 2
    pager.add_shift("PDBPRIM", "PADA", change - 8 * HOUR, change - half)
    pager.add_shift("PDBPRIM", "PADA", change + half, change + 8 * HOUR)
    assert len(read(pagerduty, change)) == 2


def test_a_shift_over_the_change_may_have_no_end(
    pager: Pager, pagerduty: PagerDuty, change: datetime
) -> None:
    pager.add_shift("PDBPRIM", "PADA", change - HOUR, None)
    assert read(pagerduty, change) == [(ADA, change - HOUR, None)]


def test_an_override_over_the_change_covers_its_own_moments(
    pager: Pager, pagerduty: PagerDuty, change: datetime
) -> None:
    pager.add_shift("PDBPRIM", "PADA", change - 8 * HOUR, change + 8 * HOUR)
    pager.override("PDBPRIM", "PBOB", change - HOUR, change + HOUR)
    assert read(pagerduty, change) == [
        (ADA, change - 8 * HOUR, change - HOUR),
        (BOB, change - HOUR, change + HOUR),
        (ADA, change + HOUR, change + 8 * HOUR),
    ]


def test_a_day_from_nine_to_nine_has_23_or_25_hours(
    pager: Pager, pagerduty: PagerDuty, change: datetime
) -> None:
    nine = change.astimezone(pager.zone).replace(hour=9)
    start, end = ((nine - timedelta(days=n)).astimezone(UTC) for n in (1, 0))
    assert end - start == (23 if change.month == 3 else 25) * HOUR
    pager.add_shift("PDBPRIM", "PADA", start, end)
    assert read(pagerduty, change) == [(ADA, start, end)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-29T02:30:00+01:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-03-29T02:30:00+02:00", datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-03-08T02:30:00-05:00", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("2026-11-01T01:30:00-04:00", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("2026-11-01T01:30:00-05:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        ("2026-11-01T06:30:00Z", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_the_offset_says_what_is_meant_even_of_a_time_that_no_clock_shows(
    written: str, meant: datetime
) -> None:
    user, schedule = {"id": "PADA"}, {"id": "PDBPRIM"}
    row = Row.model_validate(
        {"user": user, "schedule": schedule, "escalation_level": 1, "start": written, "end": None}
    )
    assert row.shift("pagerduty/PDBPRIM", ADA).start == meant
    entry = Entry.model_validate({"user": user, "start": written, "end": None})
    assert entry.row("PDBPRIM").shift("pagerduty/PDBPRIM", ADA).start == meant
    assigned = Assignment.model_validate(
        {"member": {"user_id": "PADA"}, "start_time": written, "end_time": None}
    )
    found = assigned.row("PDBPRIM")
    assert found
    assert found.shift("pagerduty/PDBPRIM", ADA).start == meant
