"""Shifts: half-open windows [start, end) in which a person is on call, and the roster that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.ages import age
from bot.core.document import Document

EDGE = timedelta(seconds=1)
"""The resolution of sources, which may also round up the moment from which they are read."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One person on call for one schedule at one level, overrides already applied.

    ``schedule`` is ``source/id`` as in access.yaml. ``level`` 0: none is known. ``start`` None: since always;
    ``end`` None: no end known. ``email`` is casefolded; ``person`` the Slack user id it belongs to, None if
    it belongs to nobody. If the source shows no email, that is empty and ``user`` is its id of the person.
    """

    schedule: str
    email: str
    level: int
    start: datetime | None
    end: datetime | None
    person: str | None = None
    user: str = ""

    def covers(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    def stands(self, at: datetime, grace: timedelta) -> bool:
        """Return whether it has begun by ``at``, and has not been over for longer than the grace."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end + grace)

    def overlaps(self, since: datetime, until: datetime) -> bool:
        return (self.start is None or self.start < until) and (self.end is None or since < self.end)


@dataclass(frozen=True, kw_only=True)
class Roster(Document, kind="roster"):
    """The shifts of a schedule as last believed. ``unattached``: the schedule is in no escalation policy, so
    it has no levels and is read the other way. ``unnamed``: the source's ids of people whose email it does
    not show, so that they are not in ``shifts``.

    ``doubted`` says what is wrong with newer answers, which are not believed (a ``Doubt``; other words in
    older documents), and ``doubted_levels`` at which levels. Answers have been doubted since
    ``doubted_since``. The last ``agreed`` of them said the same, the first at ``agreed_since``. ``told_at``
    is when a doubt was last reported to people.
    """

    schedule: str
    shifts: tuple[Shift, ...]
    read_at: datetime
    doubted: str | None = None
    unattached: bool = False
    unnamed: tuple[str, ...] = ()
    doubted_levels: tuple[int, ...] = ()
    doubted_since: datetime | None = None
    agreed: int = 0
    agreed_since: datetime | None = None
    told_at: datetime | None = None

    def age(self, now: datetime) -> timedelta:
        return age(self.read_at, now)


def merge(shifts: Iterable[Shift]) -> tuple[Shift, ...]:
    """Join shifts of one person at one level that overlap or adjoin; return them ordered by start."""

    def whose(shift: Shift) -> tuple[str, str, str, int]:
        return shift.schedule, shift.email, shift.user, shift.level

    found: list[Shift] = []
    for shift in sorted(shifts, key=lambda shift: (whose(shift), _since(shift))):
        last = found[-1] if found and whose(found[-1]) == whose(shift) else None
        if last is None or (last.end is not None and last.end.timestamp() < _since(shift)):
            found.append(shift)
        elif last.end is not None and (shift.end is None or shift.end > last.end):
            found[-1] = replace(last, end=shift.end, person=shift.person or last.person)
    return tuple(sorted(found, key=lambda shift: (_since(shift), shift.level, shift.email)))


def levelless(roster: Roster) -> Roster:
    """Return the roster without levels if it is read in a way that knows none. Older documents say 1."""
    if not roster.unattached:
        return roster
    return replace(roster, shifts=merge(replace(shift, level=0) for shift in roster.shifts))


def with_known_starts(shifts: Iterable[Shift], known: Iterable[Shift], since: datetime) -> tuple[Shift, ...]:
    """Return the shifts, read from ``since`` on, each with its own start.

    A source may cut off what lies before ``since``, or show one long shift as many and leave out those that
    are over by then. If a shift of the same person and level is ``known`` that began earlier and reached to
    the start that this one is said to have, they are one shift, and it began when the known one did.
    """
    before = merge(known)

    def start_of(shift: Shift) -> datetime | None:
        if shift.start is None or shift.start > since + EDGE:
            return shift.start
        same = (each for each in before if (each.email, each.level) == (shift.email, shift.level))
        reaching = (each for each in same if each.end is None or each.end >= shift.start)
        return min((shift, *reaching), key=_since).start

    return tuple(replace(shift, start=start_of(shift)) for shift in shifts)


def _since(shift: Shift) -> float:
    return float("-inf") if shift.start is None else shift.start.timestamp()


def at_levels(roster: Roster, levels: Sequence[int]) -> tuple[Shift, ...]:
    """Return the roster's shifts at ``levels`` (none named: at all), as if levels did not divide them."""
    wanted = [shift for shift in roster.shifts if not levels or shift.level in levels]
    return merge(replace(shift, level=0) for shift in wanted)


def on_call(roster: Roster, levels: Sequence[int], at: datetime) -> tuple[Shift, ...]:
    """Return the shifts of those on call at that moment: one a person, adjoining ones joined."""
    return tuple(shift for shift in at_levels(roster, levels) if shift.covers(at))


def last_ended(roster: Roster, levels: Sequence[int], person: str, at: datetime) -> Shift | None:
    """Return the latest shift of the person that was over by ``at``."""
    over = [
        shift
        for shift in at_levels(roster, levels)
        if shift.person == person and shift.end is not None and shift.end <= at
    ]
    return max(over, key=lambda shift: shift.end or at, default=None)


def next_boundary(
    roster: Roster, levels: Sequence[int], after: datetime, grace: timedelta = timedelta()
) -> datetime | None:
    """Return the first moment after ``after`` at which a shift starts or ends, or its grace is over."""
    moments: set[datetime] = set()
    for shift in at_levels(roster, levels):
        if shift.start is not None:
            moments.add(shift.start)
        if shift.end is not None:
            moments |= {shift.end, shift.end + grace}
    return min((moment for moment in moments if moment > after), default=None)
