"""A source's answer is believed at once, or only after three answers that agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.belief import Answer, Doubt, Limits, Objection, needs_second_look, objection, roster_to_believe
from bot.core.shifts import Roster, Shift
from bot.testing.cast import ADA, BOB, DAN, EMAILS, NINE, SCHEDULE, nobodys, roster, shift

GRACE, AT_MOST = timedelta(minutes=15), timedelta(hours=6)
MINUTE = timedelta(minutes=1)


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def on(who: str = ADA, start: float | None = -1, end: float | None = 8, level: int = 1) -> Shift:
    starts, ends = (None if hours is None else at(hours) for hours in (start, end))
    return nobodys(shift(who, start=starts, end=ends, level=level))


def limits(now: datetime = NINE) -> Limits:
    return Limits(now=now, grace=GRACE, at_most=AT_MOST)


def answer(
    *first: Shift, second: tuple[Shift, ...] | None = None, unknown: bool = False, now: datetime = NINE
) -> Answer:
    since = now - timedelta(days=1)
    return Answer(schedule=SCHEDULE, since=since, first=first, second=second, unknown=unknown)


def read(before: Roster | None, it: Answer, now: datetime = NINE, *, well: bool = True) -> Roster | None:
    against = objection(before, it, limits(now))
    return roster_to_believe(before, it, against, limits(now), others_well=well)


def levelless(*shifts: Shift) -> tuple[Shift, ...]:
    return tuple(replace(each, level=0) for each in shifts)


LACKS_ONE = Objection(doubt=Doubt.LEVELS, levels=(1,))
NOBODY = Objection(doubt=Doubt.NOBODY)


@pytest.mark.parametrize(
    ("known", "it", "expected"),
    [
        ((on(),), answer(on(end=4)), None),
        ((on(),), answer(on(DAN)), None),
        ((on(),), answer(), NOBODY),
        ((on(),), answer(second=()), None),
        ((on(),), answer(second=levelless(on())), NOBODY),
        ((on(),), answer(unknown=True), Objection(doubt=Doubt.UNKNOWN)),
        ((on(), on(DAN, level=2)), answer(on(DAN, level=2)), LACKS_ONE),
        ((on(), on(DAN, level=2)), answer(on(DAN, level=2), second=levelless(on(DAN))), None),
        ((on(), on(DAN, level=2)), answer(on(DAN, level=2), second=levelless(on(DAN), on())), LACKS_ONE),
        ((on(), on(DAN, level=2)), answer(on(DAN, level=2), second=levelless(on(BOB))), LACKS_ONE),
        ((on(), on(DAN, level=2)), answer(on(DAN, level=2), second=(on(BOB, level=2),)), None),
        ((on(), on(DAN, level=2)), answer(on(DAN, level=2), second=(on(BOB),)), LACKS_ONE),
        ((on(),), answer(on(level=2), second=levelless(on())), LACKS_ONE),
        ((on(),), answer(on(start=5)), LACKS_ONE),
        ((on(),), answer(on(end=0), second=levelless(on(end=0))), None),
        ((on(end=0),), answer(on(end=0)), None),
        ((on(end=-0.1), on(DAN, level=2)), answer(on(DAN, level=2)), LACKS_ONE),
        ((on(end=-0.3), on(DAN, level=2)), answer(on(DAN, level=2)), None),
        ((on(end=-0.3),), answer(), None),
        ((on(start=5),), answer(), NOBODY),
        ((on(start=5),), answer(on(DAN, start=5)), None),
        ((), answer(unknown=True), None),
        ((on(level=0),), answer(on(level=3)), None),
        ((on(level=0),), answer(on(start=5)), NOBODY),
    ],
)
def test_what_is_objected_to(known: tuple[Shift, ...], it: Answer, expected: Objection | None) -> None:
    before = Roster(schedule=SCHEDULE, shifts=known, read_at=NINE - MINUTE)
    assert objection(before, it, limits()) == expected


@pytest.mark.parametrize(
    ("it", "doubt"),
    [
        (answer(), Doubt.NOBODY),
        (answer(unknown=True), Doubt.UNKNOWN),
        (answer(second=()), None),
        (answer(second=levelless(on())), None),
        (answer(on(DAN, level=2)), None),
    ],
)
def test_where_nothing_is_known_only_an_answer_of_nobody_needs_a_second(
    it: Answer, doubt: Doubt | None
) -> None:
    against = objection(None, it, limits())
    assert (against and against.doubt) == doubt
    assert needs_second_look(None, it, limits()) is not bool(it.first)
    assert (read(None, it) is None) is (doubt is not None)


def test_three_answers_over_ten_minutes_are_enough_and_nothing_less_is() -> None:
    known: Roster | None = roster(on())
    for minutes in (0, 4, 9):
        known = read(known, answer(on(DAN, level=2)), NINE + minutes * MINUTE)
        assert known
        assert (known.doubted, known.shifts[0]) == (Doubt.LEVELS, on())
    known = read(known, answer(on(DAN, level=2)), NINE + 10 * MINUTE)
    assert known
    assert (known.doubted, known.shifts) == (None, (on(DAN, level=2),))
    known = read(roster(on()), answer())
    known = read(known, answer(second=()), NINE + 20 * MINUTE)
    assert known
    assert known.doubted is None, "the other way says the same"


def test_two_answers_are_not_enough_however_far_apart() -> None:
    known = read(roster(on()), answer(on(DAN, level=2)))
    known = read(known, answer(on(DAN, level=2)), NINE + 60 * MINUTE)
    assert known
    assert known.doubted


def test_while_others_read_badly_no_answer_counts() -> None:
    known: Roster | None = roster(on(end=20))
    for minutes in range(359):
        known = read(known, answer(on(DAN, level=2)), NINE + minutes * MINUTE, well=minutes % 10 != 5)
        assert known
        assert known.doubted
    known = read(known, answer(on(DAN, level=2)), NINE + AT_MOST, well=False)
    assert known
    assert known.doubted is None


def test_an_empty_answer_without_a_second_is_no_agreement() -> None:
    """Somebody may be there, and only the other way of reading shows it."""
    known: Roster | None = roster(on())
    for minutes in range(30):
        known = read(known, answer(), NINE + minutes * MINUTE)
    assert known
    assert (known.doubted, known.agreed) == (Doubt.NOBODY, 0)


def test_after_a_clock_was_set_back_the_time_begins_again() -> None:
    known: Roster | None = roster(on(start=-50))
    for minutes in range(10):
        known = read(known, answer(on(DAN, level=2)), NINE + minutes * MINUTE)
    early = NINE - timedelta(hours=20)
    known = read(known, answer(on(DAN, start=-90, level=2), now=early), early)
    assert known
    assert (known.doubted_since, known.agreed_since, known.agreed) == (early, early, 1)


def test_a_shift_that_is_over_stays_in_its_grace_though_an_answer_shows_nobody() -> None:
    known = read(roster(on(end=0), on(DAN, start=-40, end=-30)), answer(second=()), NINE + MINUTE)
    assert known
    assert (known.doubted, known.shifts) == (None, (on(end=0),))


def test_people_without_an_email_cover_no_level() -> None:
    zoe = replace(on(), email="", user="PZOE")
    assert objection(roster(on()), answer(zoe, second=levelless(zoe)), limits()) == NOBODY
    known = read(roster(on()), answer(on(), replace(zoe, level=2)))
    assert known
    assert (known.unnamed, known.shifts) == (("PZOE",), (on(),))


# ------------------------------------------------------------------------------------ whatever comes

PEOPLE = st.sampled_from([ADA, DAN, BOB])
SHIFTS = st.lists(
    st.builds(
        lambda who, start, length, level: on(who, start, start + length, level),
        PEOPLE,
        st.integers(-30, 20),
        st.integers(1, 12),
        st.sampled_from([1, 2]),
    ),
    max_size=5,
).map(tuple)
SECOND = st.none() | SHIFTS.map(lambda shifts: levelless(*shifts))


def covered(known: Roster) -> set[tuple[str, int]]:
    return {(each.email, each.level) for each in known.shifts if each.covers(NINE)}


@given(SHIFTS, SHIFTS, SECOND, st.booleans())
def test_by_one_answer_nobody_is_lost_to_nobody(
    known: tuple[Shift, ...], first: tuple[Shift, ...], second: tuple[Shift, ...] | None, unknown: bool
) -> None:
    """A person stays on call unless somebody else is at that level, or both ways of reading show nobody."""
    before = Roster(schedule=SCHEDULE, shifts=known, read_at=NINE - MINUTE)
    unknown = unknown and not first and second is None
    after = read(before, answer(*first, second=second, unknown=unknown))
    assert after
    taken = {level for _, level in covered(roster(*first) if first else replace(before, shifts=()))}
    shown = {email for email, _ in covered(replace(before, shifts=second or ()))}
    for email, level in covered(before) - covered(after):
        assert level in taken or (second is not None and email not in shown)


@given(SHIFTS, st.lists(st.tuples(SHIFTS, SECOND, st.booleans()), min_size=1, max_size=30))
def test_no_doubt_lasts_longer_than_it_may(
    known: tuple[Shift, ...],
    answers: list[tuple[tuple[Shift, ...], tuple[Shift, ...] | None, bool]],
) -> None:
    kept: Roster | None = Roster(schedule=SCHEDULE, shifts=known, read_at=NINE)
    for number, (first, second, well) in enumerate(answers):
        now = NINE + number * 20 * MINUTE
        kept = read(kept, answer(*first, second=second, now=now), now, well=well)
        assert kept
        assert kept.read_at <= now
        assert not kept.doubted or (kept.doubted_since and now - kept.doubted_since < AT_MOST)
        assert all(each.email in EMAILS.values() for each in kept.shifts)
