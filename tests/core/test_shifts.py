"""Shifts are half-open windows, and adjoining ones are joined."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ages import AHEAD_AT_MOST, UNKNOWN_AGE
from bot.core.shifts import Roster, Shift, last_ended, merge, next_boundary, on_call
from bot.testing.cast import ADA, DAN, NINE, roster, shift

TICK = timedelta(microseconds=1)


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def test_a_shift_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    day = shift(start=at(0), end=at(8))
    assert not day.covers(at(0) - timedelta(microseconds=1))
    assert day.covers(at(0))
    assert day.covers(at(8) - timedelta(microseconds=1))
    assert not day.covers(at(8))


@pytest.mark.parametrize(
    ("start", "end", "covered"),
    [
        (None, at(1), True),
        (at(-1), None, True),
        (None, None, True),
        (None, at(0), False),
        (at(1), None, False),
    ],
)
def test_a_shift_may_have_no_start_and_no_end(
    start: datetime | None, end: datetime | None, covered: bool
) -> None:
    assert shift(start=start, end=end).covers(NINE) is covered


def test_adjoining_and_overlapping_shifts_of_one_person_are_one() -> None:
    found = merge(
        [
            shift(start=at(8), end=at(16)),
            shift(start=at(0), end=at(8)),
            shift(start=at(15), end=at(17)),
            shift(start=at(1), end=at(2)),
        ]
    )
    assert found == (shift(start=at(0), end=at(17)),)


def test_a_gap_another_person_and_another_level_divide_shifts() -> None:
    apart = (
        shift(start=at(0), end=at(1)),
        shift(DAN, start=at(1), end=at(2)),
        shift(start=at(1), end=at(2), level=2),
        shift(start=at(1.5), end=at(2)),
    )
    assert set(merge(apart)) == set(apart)


def test_a_shift_without_an_end_swallows_what_begins_in_it() -> None:
    assert merge([shift(start=None, end=None), shift(start=at(5), end=at(6))]) == (
        shift(start=None, end=None),
    )
    assert merge([shift(start=at(0), end=at(1)), shift(start=at(1), end=None)]) == (
        shift(start=at(0), end=None),
    )


def test_levels_are_chosen_and_then_do_not_divide() -> None:
    rota = roster(
        shift(start=at(0), end=at(4), level=1),
        shift(start=at(4), end=at(8), level=2),
        shift(DAN, start=at(0), end=at(8), level=3),
    )
    assert [(each.person, each.end) for each in on_call(rota, (1,), at(1))] == [(ADA, at(4))]
    assert [(each.person, each.end) for each in on_call(rota, (1, 2), at(1))] == [(ADA, at(8))]
    assert {each.person for each in on_call(rota, (), at(1))} == {ADA, DAN}
    assert on_call(rota, (1,), at(4)) == ()


def test_the_last_shift_of_a_person_is_the_latest_that_is_over() -> None:
    rota = roster(
        shift(start=at(-9), end=at(-5)),
        shift(start=at(-3), end=at(0)),
        shift(start=at(2), end=at(3)),
        shift(DAN, start=at(-2), end=at(-1)),
    )
    found = last_ended(rota, (1,), ADA, NINE)
    assert found is not None
    assert found.end == at(0)
    assert last_ended(rota, (2,), ADA, NINE) is None
    assert last_ended(rota, (), "U0NOBODY", NINE) is None


def test_the_next_boundary_is_a_start_an_end_or_the_end_of_the_grace() -> None:
    rota = roster(shift(start=at(1), end=at(2)), shift(DAN, start=at(2), end=None))
    quarter = timedelta(minutes=15)
    assert next_boundary(rota, (1,), at(0), quarter) == at(1)
    assert next_boundary(rota, (1,), at(1), quarter) == at(2)
    assert next_boundary(rota, (1,), at(2), quarter) == at(2.25)
    assert next_boundary(rota, (1,), at(2.25), quarter) is None
    assert next_boundary(rota, (2,), at(0)) is None


def test_a_roster_is_never_younger_than_now() -> None:
    assert roster(read_at=at(0)).age(at(1)) == timedelta(hours=1)
    assert roster(read_at=at(0) + AHEAD_AT_MOST).age(at(0)) == timedelta()


def test_of_a_roster_that_is_read_in_the_future_nobody_knows_the_age() -> None:
    assert roster(read_at=at(0) + AHEAD_AT_MOST + TICK).age(at(0)) == UNKNOWN_AGE


HOURS = st.integers(-10, 10)
SHIFTS = st.builds(
    lambda who, level, start, length: shift(
        who,
        level=level,
        start=None if start is None else at(start),
        end=None if length is None else at((start or 0) + length),
    ),
    st.sampled_from([ADA, DAN]),
    st.sampled_from([1, 2]),
    st.none() | HOURS,
    st.none() | st.integers(1, 6),
)


@given(st.lists(SHIFTS, max_size=8), HOURS, st.sampled_from([(), (1,), (2,), (1, 2)]))
def test_joining_changes_nobodys_being_on_call(
    shifts: list[Shift], hour: int, levels: tuple[int, ...]
) -> None:
    rota = Roster(schedule="pagerduty/PDBPRIM", shifts=merge(shifts), read_at=NINE)
    expected = {
        each.person for each in shifts if each.covers(at(hour)) and (not levels or each.level in levels)
    }
    found = on_call(rota, levels, at(hour))
    assert {each.person for each in found} == expected
    assert len(found) == len(expected)


@given(st.lists(SHIFTS, max_size=8))
def test_joining_twice_changes_nothing(shifts: list[Shift]) -> None:
    once = merge(shifts)
    assert merge(once) == once
    assert merge(reversed(once)) == once


@given(st.lists(SHIFTS, max_size=8), HOURS)
def test_nothing_changes_before_the_next_boundary(shifts: list[Shift], hour: int) -> None:
    rota = Roster(schedule="pagerduty/PDBPRIM", shifts=merge(shifts), read_at=NINE)
    boundary = next_boundary(rota, (), at(hour))
    just_before = (boundary or at(100)) - timedelta(microseconds=1)
    assert on_call(rota, (), just_before) == on_call(rota, (), at(hour))
