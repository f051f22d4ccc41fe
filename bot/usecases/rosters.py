"""Reading who is on call, ahead of time, and not believing one wrong empty answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.people import Person
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
    Note,
    OnCallSource,
    Snapshot,
)
from bot.usecases.office import Office
from bot.usecases.people import remember
from bot.usecases.turn import Turn

BACK, AHEAD = timedelta(hours=24), timedelta(days=14)
RETRY_AT_MOST = timedelta(minutes=1)
UNKNOWN_EMAIL_EVERY = timedelta(minutes=10)
KNOWN_EMAIL_EVERY = timedelta(hours=6)


def read_roster(office: Office, source: Callable[[str], OnCallSource], turn: Turn) -> None:
    """Read all configured schedules of one source (``roster:<name>``) and store what changed; due again
    in a minute. Where the source is down, the last rosters stand, growing older."""
    name = turn.claim.id
    catalog = office.catalog()
    schedules = [s for s in catalog.schedules() if s.partition("/")[0] == name]
    if not schedules:
        office.ledger.commit(Change(done=Done(claim=turn.claim)))
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
    owners = _owners(office, rosters, turn)
    _store(office, catalog, {s: _owned(r, owners) for s, r in rosters.items()}, turn)


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
        )
    )


# ----------------------------------------------------------------------------------- whose email it is


def _owners(office: Office, rosters: Mapping[str, Roster], turn: Turn) -> Mapping[str, str | None]:
    """The Slack user of each email address in the rosters, looked up where it is not known yet."""
    emails = {shift.email for roster in rosters.values() for shift in roster.shifts}
    snap = office.ledger.read({Key.of(EmailOwner, email) for email in emails})
    return {email: _owner(office, email, snap, turn) for email in sorted(emails)}


def _owner(office: Office, email: str, snap: Snapshot, turn: Turn) -> str | None:
    known = snap.find(EmailOwner, email)
    wait = KNOWN_EMAIL_EVERY if known and known.people else UNKNOWN_EMAIL_EVERY
    if known is None or snap.now - known.read_at > wait:
        known = _looked_up(office, email, snap.now, turn) or known
    people = known.people if known else ()
    return people[0] if len(people) == 1 else None


def _looked_up(office: Office, email: str, now: datetime, turn: Turn) -> EmailOwner | None:
    try:
        person: Person | None = office.directory.by_email(email, turn.call())
    except (TemporaryFailure, PermanentFailure):
        return None
    if person is None:
        nobody = EmailOwner(people=(), read_at=now)
        entry = Entry(what="on call but not in Slack", facts={"email": email})
        office.ledger.commit(Change(put={Key.of(EmailOwner, email): nobody}, audit=(entry,)))
        return nobody
    remember(office.ledger, person)
    return office.ledger.read({Key.of(EmailOwner, email)}).find(EmailOwner, email)


def _owned(roster: Roster, owners: Mapping[str, str | None]) -> Roster:
    shifts = (replace(shift, person=owners.get(shift.email)) for shift in roster.shifts)
    return replace(roster, shifts=tuple(shifts))


# ---------------------------------------------------------------------------------------------- store


def _store(office: Office, catalog: Catalog, rosters: Mapping[str, Roster], turn: Turn) -> None:
    snap = office.ledger.read({Key.of(Roster, schedule) for schedule in rosters})
    put: dict[Key, Document | None] = {}
    due: list[Due] = []
    audit: list[Entry] = []
    for schedule, roster in rosters.items():
        before = snap.find(Roster, schedule)
        put[Key.of(Roster, schedule)] = roster
        if before is None or (before.shifts, before.doubted) != (roster.shifts, roster.doubted):
            due += _followers(catalog, schedule, snap.now)
            audit.append(_entry(roster))
        if roster.doubted and (before is None or before.doubted != roster.doubted):
            notes = _loud(office, catalog, roster)
            put.update(notes)
            due += [Due(member=f"note:{key.id}", at=snap.now) for key in notes]
    done = Done(claim=turn.claim, next_at=snap.now + _every(catalog, turn.claim.id))
    office.ledger.commit(Change(put=put, due=tuple(due), audit=tuple(audit), done=done))


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
