"""Reading who is on call, ahead of time, and not believing one wrong empty answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Roster, Shift, merged
from bot.ports import (
    Change,
    Document,
    Done,
    Due,
    EmailOwner,
    Entry,
    Key,
    Ledger,
    Note,
    OnCallSource,
    Readings,
    Snapshot,
)
from bot.usecases.office import Office
from bot.usecases.people import remember
from bot.usecases.readings import names_to_read, renewed
from bot.usecases.turn import Turn

BACK, AHEAD = timedelta(hours=24), timedelta(days=14)
RETRY_AT_MOST = timedelta(minutes=1)
NAMES_AGAIN = timedelta(seconds=10)
OLD = timedelta(minutes=5)
"""A roster older than this may have held something up, though the new one says the same."""
LEAVE_SECONDS = 5.0
"""Of a turn, for storing what was read."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
UNKNOWN_EMAIL_EVERY = timedelta(minutes=10)
KNOWN_EMAIL_EVERY = timedelta(hours=6)


def read_roster(office: Office, source: Callable[[str], OnCallSource], turn: Turn) -> None:
    """Read all configured schedules of one source (``roster:<name>``) and store what changed; due again
    in a minute. Where the source is down, the last rosters stand, growing older."""
    name = turn.claim.id
    catalog = office.catalog()
    named = [s for s in catalog.schedules() if s.partition("/")[0] == name]
    readings = office.ledger.read({Key.of(Readings, f"roster:{name}")})
    schedules = names_to_read(f"roster:{name}", named, readings)
    if not schedules:
        office.ledger.commit(Change(done=Done(claim=turn.claim), frees=True))
        return
    snap = office.ledger.read({Key.of(Roster, schedule) for schedule in schedules})
    since, until = snap.now - BACK, snap.now + AHEAD
    ids = [schedule.partition("/")[2] for schedule in schedules]
    try:
        found = source(name).shifts(ids, since, until, turn.call())
        rosters = {
            schedule: _believed(
                snap.find(Roster, schedule),
                found.get(_id(schedule), ()),
                schedule,
                snap.now,
                lambda each: source(name).confirm(_id(each), since, until, turn.call()),
            )
            for schedule in schedules
        }
    except (TemporaryFailure, PermanentFailure) as failure:
        _unread(office, turn, snap, failure)
        return
    owners = _Owners(office, turn)
    owners.find(_emails(rosters.values()))
    owned = {schedule: _owned(roster, owners.people) for schedule, roster in rosters.items()}
    kept = renewed(f"roster:{name}", named, catalog, readings)
    _store(office, catalog, owned, turn, kept, names_missing=owners.left)


def _id(schedule: str) -> str:
    return schedule.partition("/")[2]


def _believed(
    before: Roster | None,
    shifts: tuple[Shift, ...],
    schedule: str,
    now: datetime,
    confirm: Callable[[str], tuple[Shift, ...] | None],
) -> Roster:
    """An answer with nobody now is read another way first; unless that says the same, the last known
    shifts stand until their own end, and the roster is doubted."""
    fresh = Roster(schedule=schedule, shifts=merged(shifts), read_at=now)
    expected = before is not None and any(shift.covers(now) for shift in before.shifts)
    if _covered(fresh.shifts, now) or (fresh.shifts and not expected):
        return fresh
    second = confirm(schedule)
    if second is None:
        return _standing_still(before, fresh, "the source does not know this schedule")
    if not fresh.shifts and (not expected or (before and before.unattached)):
        return replace(fresh, shifts=merged(second), unattached=bool(second))
    if _covered(second, now):
        return _standing_still(before, fresh, "two answers of the source contradict each other")
    return fresh


def _covered(shifts: Iterable[Shift], now: datetime) -> bool:
    return any(shift.covers(now) for shift in shifts)


def _standing_still(before: Roster | None, fresh: Roster, why: str) -> Roster:
    """What was believed last, as old as it is."""
    return replace(before or fresh, doubted=why)


def _unread(office: Office, turn: Turn, snap: Snapshot, failure: TemporaryFailure | PermanentFailure) -> None:
    wait = min(timedelta(seconds=2.0 ** min(turn.claim.tries + 1, 6)), RETRY_AT_MOST)
    entry = Entry(what="roster not read", facts={"source": turn.claim.id, "error": str(failure)[:300]})
    first = turn.claim.tries == 0
    office.ledger.commit(
        Change(
            audit=(entry,) if first else (),
            done=Done(claim=turn.claim, next_at=snap.now + wait, failed=True),
            frees=True,
        )
    )


# ----------------------------------------------------------------------------------- whose email it is


@dataclass
class _Owners:
    """The Slack users of email addresses. Unknown addresses are looked up as long as Slack answers, this turn
    has time, and the ledger accepts new people. ``left``: some could not be looked up. The rosters are stored
    all the same, because access that they end does not wait for a name."""

    office: Office
    turn: Turn
    people: dict[str, str | None] = field(default_factory=dict)
    left: bool = False

    def find(self, emails: Iterable[str]) -> None:
        wanted = tuple(dict.fromkeys(emails))
        snap = self.office.ledger.read({Key.of(EmailOwner, email) for email in wanted})
        for email in wanted:
            known = snap.find(EmailOwner, email)
            if known is None or known.age(snap.now) > _wait(known):
                known = self._looked_up(email) or known
            people = known.people if known else ()
            self.people[email] = people[0] if len(people) == 1 else None

    def _looked_up(self, email: str) -> EmailOwner | None:
        if self.left or self.turn.deadline.left() < LEAVE_SECONDS:
            self.left = True
            return None
        ledger = self.office.ledger
        try:
            person = self.office.directory.by_email(email, self.turn.call())
            if person:
                remember(ledger, person)
            else:
                _remember_nobody(ledger, email)
        except (TemporaryFailure, PermanentFailure):
            self.left = True
            return None
        return ledger.read({Key.of(EmailOwner, email)}).find(EmailOwner, email)


def _wait(known: EmailOwner) -> timedelta:
    return KNOWN_EMAIL_EVERY if known.people else UNKNOWN_EMAIL_EVERY


def _remember_nobody(ledger: Ledger, email: str) -> None:
    key = Key.of(EmailOwner, email)
    snap = ledger.read({key})
    before = snap.find(EmailOwner, email)
    entry = Entry(what="on call but not in Slack", facts={"email": email})
    ledger.commit(
        Change(
            put={key: EmailOwner(people=(), read_at=snap.now)},
            audit=(entry,) if before is None or before.people else (),
            frees=before is not None,
        )
    )


def _emails(rosters: Iterable[Roster]) -> Iterable[str]:
    """Whose shift comes first is looked up first."""
    shifts = [shift for roster in rosters for shift in roster.shifts]
    return (shift.email for shift in sorted(shifts, key=lambda each: (each.start or LONG_AGO, each.email)))


def _owned(roster: Roster, owners: Mapping[str, str | None]) -> Roster:
    shifts = (replace(shift, person=owners.get(shift.email)) for shift in roster.shifts)
    return replace(roster, shifts=tuple(shifts))


# ---------------------------------------------------------------------------------------------- store


def _store(
    office: Office,
    catalog: Catalog,
    rosters: Mapping[str, Roster],
    turn: Turn,
    kept: Change,
    *,
    names_missing: bool,
) -> None:
    snap = office.ledger.read({Key.of(Roster, schedule) for schedule in rosters})
    put: dict[Key, Document | None] = dict(kept.put)
    due: list[Due] = []
    audit: list[Entry] = []
    for schedule, roster in rosters.items():
        before = snap.find(Roster, schedule)
        put[Key.of(Roster, schedule)] = roster
        changed = before is None or (before.shifts, before.doubted) != (roster.shifts, roster.doubted)
        if changed:
            audit.append(_entry(roster))
        if changed or (before and before.age(snap.now) > OLD):
            due += _followers(catalog, schedule, snap.now)
        if roster.doubted and (before is None or before.doubted != roster.doubted):
            notes = _loud(office, catalog, roster)
            put.update(notes)
            due += [Due(member=f"note:{key.id}", at=snap.now) for key in notes]
    every = _every(catalog, turn.claim.id)
    done = Done(claim=turn.claim, next_at=snap.now + (min(every, NAMES_AGAIN) if names_missing else every))
    office.ledger.commit(Change(put=put, due=tuple(due), audit=tuple(audit), done=done, frees=True))


def _every(catalog: Catalog, source: str) -> timedelta:
    return timedelta(seconds=catalog.source(f"{source}/").every)


def _followers(catalog: Catalog, schedule: str, now: datetime) -> list[Due]:
    return [
        Due(member=f"shift:{resource.name}", at=now)
        for resource in catalog.resources.values()
        if schedule in resource.schedules()
    ]


def _entry(roster: Roster) -> Entry:
    on_call = [
        f"{s.email} level {s.level} until {s.end.isoformat() if s.end else 'further notice'}"
        for s in roster.shifts
        if s.covers(roster.read_at)
    ]
    facts = {"schedule": roster.schedule, "on_call": on_call, "doubted": roster.doubted or ""}
    return Entry(what="roster changed", facts=facts)


def _loud(office: Office, catalog: Catalog, roster: Roster) -> dict[Key, Note]:
    if catalog.security_channel is None:
        return {}
    reason: Reason = because(Why.ROSTER_EMPTY_DOUBTED, schedule=roster.schedule, doubt=roster.doubted or "")
    note = Note(id=office.new_id(), channel=catalog.security_channel, reason=reason)
    return {Key.of(Note, note.id): note}
