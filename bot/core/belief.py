"""The rules for believing a source's answer: no single wrong answer ends anybody's access."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.ages import UNKNOWN_AGE, age
from bot.core.shifts import Roster, Shift, merge, with_known_starts

ENOUGH_READS = 3
ENOUGH_TIME = timedelta(minutes=10)
AT_ONCE = timedelta()


class Doubt(StrEnum):
    """The fault of an answer: the source does not know the schedule, shows nobody, or shows nobody at a level
    at which somebody is on call."""

    UNKNOWN = "unknown"
    NOBODY = "nobody"
    LEVELS = "levels"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The shifts that a source shows of a schedule from ``since`` on. ``first`` is from its answer about all
    schedules. ``second`` is read another way, which may know no levels; None: it was not read. ``unknown``:
    the source says that it has no such schedule."""

    schedule: str
    since: datetime
    first: tuple[Shift, ...]
    second: tuple[Shift, ...] | None = None
    unknown: bool = False

    @property
    def is_whole(self) -> bool:
        """Return whether it was read in every way that is needed."""
        return self.unknown or self.second is not None or bool(_with_email(self.first))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of doubt. ``grace`` is the longest by which access may outlast a shift of the schedule,
    ``at_most`` the longest for which the last known shifts may stand against newer answers."""

    now: datetime
    grace: timedelta
    at_most: timedelta


@dataclass(frozen=True, kw_only=True)
class Objection:
    doubt: Doubt
    levels: tuple[int, ...] = ()


def needs_second_look(before: Roster | None, answer: Answer, limits: Limits) -> bool:
    """Return whether the schedule also has to be read the other way."""
    first = _with_email(answer.first)
    return not first or bool(before and _losses(before.shifts, first, limits))


def objection(before: Roster | None, answer: Answer, limits: Limits) -> Objection | None:
    """Return why this answer alone is not believed: it is empty, lacks a level or knows no such schedule.

    It is believed if the other way of reading says the same, or if nobody could lose anything by it. Somebody
    else at the same level is not doubted: that is an override.
    """
    first = _with_email(answer.first)
    if before is None:
        known = bool(first) or answer.second is not None
        return None if known else Objection(doubt=Doubt.UNKNOWN if answer.unknown else Doubt.NOBODY)
    if all(shift.end is not None and shift.end + limits.grace <= limits.now for shift in before.shifts):
        return None
    if answer.unknown:
        return Objection(doubt=Doubt.UNKNOWN)
    if not first:
        return None if _surely_nobody(before, answer, limits) else Objection(doubt=Doubt.NOBODY)
    lost = _losses(before.shifts, first, limits)
    if not lost or (answer.second is not None and _says_the_same(answer.second, first, lost, limits)):
        return None
    levels = {shift.level for gone in lost.values() for shift in gone}
    if levels == {0}:
        return Objection(doubt=Doubt.NOBODY)
    return Objection(doubt=Doubt.LEVELS, levels=tuple(sorted(levels)))


def roster_to_believe(
    before: Roster | None,
    answer: Answer,
    against: Objection | None,
    limits: Limits,
    *,
    others_well: bool,
) -> Roster | None:
    """Return the roster to go by from now on: the answer, or the last known shifts; None if nothing is known.

    An answer that is objected to counts all the same once three in a row said the same over ten minutes, each
    time with ``others_well``: none of the source's other schedules was doubted. Without that, the last known
    shifts stand for at most ``at_most``. Then the newest answer counts. It is not each shift's last known end
    that counts, as while a source is down: this one does answer, and a known shift may go on for weeks.
    """
    fresh = _fresh(before, answer, limits.now)
    if against is None:
        return fresh
    if before is None:
        return None
    counts = others_well and answer.is_whole
    doubted = _roster_in_doubt(before, fresh, against, limits.now, counts=counts)
    agreed_for = limits.now - (doubted.agreed_since or limits.now)
    doubted_for = limits.now - (doubted.doubted_since or limits.now)
    enough = doubted.agreed >= ENOUGH_READS and agreed_for >= ENOUGH_TIME
    return fresh if enough or doubted_for >= limits.at_most else doubted


def _fresh(before: Roster | None, answer: Answer, now: datetime) -> Roster:
    """Return the roster as the answer has it: read the other way if only that shows anybody now or later. An
    answer that shows nobody at all says nothing of what is over, which may still be in its grace."""
    known, shown = before.shifts if before else (), answer.first
    unattached = not _with_email(shown) and bool(_with_email(_ahead(answer.second or (), now)))
    if unattached:
        shown = answer.second or ()
    shifts = merge(with_known_starts(_with_email(shown), known, answer.since))
    if not shifts:
        shifts = tuple(each for each in known if each.end and answer.since < each.end <= now)
    return Roster(
        schedule=answer.schedule,
        shifts=shifts,
        read_at=now,
        unattached=unattached,
        unnamed=tuple(sorted({shift.user for shift in shown if not shift.email})),
        told_at=before.told_at if before else None,
    )


def _roster_in_doubt(
    before: Roster, fresh: Roster, against: Objection, now: datetime, *, counts: bool
) -> Roster:
    """Return the last known shifts, as old as they are; of levels that nobody doubts the newest ones."""
    shifts = before.shifts
    if against.doubt is Doubt.LEVELS:
        doubtful = tuple(shift for shift in before.shifts if shift.level in against.levels)
        others = (shift for shift in fresh.shifts if shift.level not in against.levels)
        shifts = merge((*doubtful, *others))
    same = (before.doubted, before.doubted_levels) == (against.doubt.value, against.levels)
    agreed_since = _unless_ahead(before.agreed_since, now) if same else None
    agreed = before.agreed + 1 if agreed_since else 1
    return replace(
        before,
        shifts=shifts,
        unnamed=fresh.unnamed,
        doubted=against.doubt.value,
        doubted_levels=against.levels,
        doubted_since=_unless_ahead(before.doubted_since, now) or now if before.doubted else now,
        agreed=agreed if counts else 0,
        agreed_since=agreed_since or now if counts else None,
    )


def _unless_ahead(at: datetime | None, now: datetime) -> datetime | None:
    """Leave out a moment that the clock has not reached: it was set back since then."""
    return None if at is None or age(at, now) == UNKNOWN_AGE else at


def _surely_nobody(before: Roster, answer: Answer, limits: Limits) -> bool:
    """Judge an answer that shows nobody. For a schedule in no escalation policy that says nothing new: only
    the second read shows anybody, and there is no other that could say the same."""
    if answer.second is None:
        return False
    if before.unattached:
        return bool(_with_email(answer.second)) and not _losses(before.shifts, answer.second, limits)
    return not _ahead(answer.second, limits.now)


def _losses(
    known: Iterable[Shift], shown: Sequence[Shift], limits: Limits
) -> Mapping[timedelta, Sequence[Shift]]:
    """Return the known shifts at whose level nobody is shown: of those that run now, and of those that run
    now or are in their grace. A shift whose level is not known is not lost if anybody is shown."""
    lost: dict[timedelta, Sequence[Shift]] = {}
    for grace in (AT_ONCE, limits.grace):
        standing = [shift for shift in _with_email(shown) if shift.stands(limits.now, grace)]
        gone = [
            shift
            for shift in known
            if shift.stands(limits.now, grace) and not any(shift.level in (0, s.level) for s in standing)
        ]
        if gone:
            lost[grace] = gone
    return lost


def _says_the_same(
    second: Iterable[Shift], first: Iterable[Shift], lost: Mapping[timedelta, Sequence[Shift]], limits: Limits
) -> bool:
    """Return whether the second read has nobody at the lost levels. If it knows no levels, it must show none
    of the people lost, and nobody whom the first read does not show."""
    for grace, gone in lost.items():
        emails, levels = {shift.email for shift in gone}, {shift.level for shift in gone}
        shown = {shift.email for shift in first if shift.stands(limits.now, grace)} - emails
        for shift in second:
            if shift.stands(limits.now, grace) and (
                shift.level in levels or (shift.level == 0 and shift.email not in shown)
            ):
                return False
    return True


def _ahead(shifts: Iterable[Shift], now: datetime) -> tuple[Shift, ...]:
    """Return those that are not over."""
    return tuple(shift for shift in shifts if shift.end is None or now < shift.end)


def _with_email(shifts: Iterable[Shift]) -> tuple[Shift, ...]:
    """Return those of people whose email the source shows."""
    return tuple(shift for shift in shifts if shift.email)
