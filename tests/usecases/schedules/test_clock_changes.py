"""On nights when clocks change, a shift ends at its end, and an hour lasts an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.core.grants import State
from bot.core.shifts import Shift
from bot.testing.cast import ADA, DAN, DAY, HOUR, ON_SHIFT, ORDERS_SCHEDULE, SCHEDULE, nobodys, shift
from bot.testing.story import Story

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
CHANGES = [
    (BERLIN, datetime(2026, 3, 29, 1, tzinfo=UTC)),
    (BERLIN, datetime(2026, 10, 25, 1, tzinfo=UTC)),
    (NEW_YORK, datetime(2026, 3, 8, 7, tzinfo=UTC)),
    (NEW_YORK, datetime(2026, 11, 1, 6, tzinfo=UTC)),
]
OPS = "orders_ops"
GRACE = timedelta(seconds=ON_SHIFT.grace)
each_change = pytest.mark.parametrize(("zone", "change"), CHANGES, ids=lambda each: str(each)[:16])


def there(zone: ZoneInfo, change: datetime, hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    """Return a time by the clocks of that place, on the day of the change or that many days from it."""
    date = change.astimezone(zone).date() + timedelta(days=day)
    return datetime(date.year, date.month, date.day, hour, minute, tzinfo=zone).astimezone(UTC)


def begun(at: datetime, **rota: tuple[Shift, ...]) -> Story:
    """Return a story on the day before, with all facts read."""
    story = Story(rota=rota, begin=False)
    story.memory.now = at
    story.run_due("workspace", "groups")
    story.run_due()
    return story


def on(who: str, start: datetime, end: datetime | None, schedule: str = ORDERS_SCHEDULE) -> Shift:
    return nobodys(shift(who, start=start, end=end, schedule=schedule))


def pass_until(story: Story, moment: datetime) -> None:
    story.pass_time((moment - story.now).total_seconds())


@each_change
def test_the_night_shift_of_the_change_gives_from_ten_to_six_as_clocks_there_say(
    zone: ZoneInfo, change: datetime
) -> None:
    ten, six = there(zone, change, 22, day=-1), there(zone, change, 6)
    assert six - ten in (timedelta(hours=7), timedelta(hours=9))
    story = begun(ten - timedelta(hours=1), PORDERS=(on(ADA, ten, six), on(DAN, six, six + (six - ten))))
    pass_until(story, ten - timedelta(seconds=1))
    assert not story.has(ADA, OPS)
    pass_until(story, ten)
    assert story.has(ADA, OPS)
    pass_until(story, six)
    assert story.has(DAN, OPS)
    pass_until(story, six + GRACE - timedelta(seconds=1))
    assert story.has(ADA, OPS)
    pass_until(story, six + GRACE)
    assert not story.has(ADA, OPS)


@each_change
def test_shifts_that_adjoin_at_the_change_are_one_grant(zone: ZoneInfo, change: datetime) -> None:
    start, end = change - timedelta(hours=4), change + timedelta(hours=4)
    story = begun(start, PORDERS=(on(ADA, start, change), on(ADA, change, end)))
    grant = story.shift_grant(ADA)
    assert grant is not None
    assert grant.until == end + GRACE
    pass_until(story, end + GRACE)
    assert story.grant(grant.id).state is State.ENDED
    assert not story.has(ADA, OPS)
    assert story.history(grant.id).count("given") == 1


@each_change
def test_handed_over_in_the_hour_that_comes_twice_or_never(zone: ZoneInfo, change: datetime) -> None:
    half = timedelta(minutes=30)
    for moment in (change - half, change, change + half):
        story = begun(
            change - timedelta(hours=2),
            PORDERS=(on(ADA, change - timedelta(hours=2), moment), on(DAN, moment, moment + half)),
        )
        pass_until(story, moment - timedelta(seconds=1))
        assert (story.has(ADA, OPS), story.has(DAN, OPS)) == (True, False)
        pass_until(story, moment)
        assert story.has(DAN, OPS)
        pass_until(story, moment + GRACE)
        assert not story.has(ADA, OPS)


@each_change
def test_until_the_shift_ends_is_until_the_shift_ends(zone: ZoneInfo, change: datetime) -> None:
    ten, six = there(zone, change, 22, day=-1), there(zone, change, 6)
    story = begun(ten, PDBPRIM=(on(ADA, ten, six, SCHEDULE),))
    grant = story.ask(ADA, length="until end of shift").standing.grant.id
    assert story.lease(grant) == six
    pass_until(story, six - timedelta(seconds=1))
    assert story.has(ADA)
    pass_until(story, six)
    assert not story.has(ADA)


@each_change
def test_a_shift_without_an_end_is_followed_for_whole_hours(zone: ZoneInfo, change: datetime) -> None:
    start = change - timedelta(hours=2)
    story = begun(start, PORDERS=(on(ADA, start, None),))
    grant = story.shift_grant(ADA)
    assert grant is not None
    assert grant.until == start + timedelta(hours=12), "the resource's longest"
    story.pass_time(7 * HOUR)
    later = story.lease(grant.id)
    assert later is not None
    assert later > grant.until
    assert story.has(ADA, OPS)


@each_change
def test_a_length_is_so_many_hours_whatever_the_clocks_do(zone: ZoneInfo, change: datetime) -> None:
    """Twelve hours from eight in the evening end at seven or at nine, not at eight."""
    eight = there(zone, change, 20, day=-1)
    story = begun(eight, PDBPRIM=(on(ADA, eight, eight + timedelta(days=2), SCHEDULE),))
    grant = story.ask(ADA, length="12h").standing.grant.id
    end = story.lease(grant)
    assert end == eight + timedelta(seconds=DAY / 2)
    assert end.astimezone(zone).hour in (7, 9)
