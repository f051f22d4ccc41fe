"""Access that begins with a shift: anyone who is on call now and does not have it yet is granted it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core.catalog import Catalog, OnCall, Resource
from bot.core.errors import Refused
from bot.core.grants import LIVE, Cause, Grant, Ground, Origin, Traced
from bot.core.members import YES, Facts, facts_age, rule_name
from bot.core.people import objection
from bot.core.policy import automatic_objection, closed_objection, seat_objection
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Shift, on_call
from bot.ports.changes import Change, Entry, Snapshot
from bot.ports.documents import Key, Note, ShiftGrant
from bot.usecases.context import Basis, facts_of
from bot.usecases.notes import note_change
from bot.usecases.requests.admit import admission, ground_addition, live_grant
from bot.usecases.requests.waiting import unrequested_grant
from bot.usecases.schedules.ownership import with_contest

PASSING = frozenset({Why.PERSON_UNKNOWN, Why.WORKSPACE_UNKNOWN})
"""Reasons that nobody is told about, because a look-up that is under way will settle them."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """The change for one person on call, if there is any. ``again``: a fact is missing that may soon be
    there, or what only one may hold is being revoked from somebody else."""

    change: Change | None = None
    again: bool = False


def starts(resource: Resource, rule: OnCall, basis: Basis, new_id: Callable[[], str]) -> Iterator[Start]:
    """Yield a start for each person who is on call by the rule and has no access by it: a ground for the
    access that they have already, otherwise a grant. If only one may hold the resource, the first gets it.
    Yield nothing while the policy in force cannot be followed."""
    catalog, snap = basis
    if closed_objection(catalog):
        return
    facts = facts_of(snap, resource)
    roster = facts.rosters.get(rule.schedule)
    for shift in on_call(roster, rule.levels, snap.now) if roster else ():
        if shift.person is None or _has_access(resource, shift, snap):
            continue
        against = _objection(resource, rule, shift, catalog, facts)
        if against:
            yield _not_started(resource, shift, against, snap, new_id)
            continue
        if taken := seat_objection(shift.person, resource, facts):
            yield Start(again="until_at" not in taken.facts)
            continue
        try:
            start = Start(change=_start_change(new_id(), resource, rule, shift, basis))
        except Refused as refused:
            yield _not_started(resource, shift, refused.reason, snap, new_id)
            continue
        yield start
        if resource.one_holder:
            return


def shift_key(resource: str, person: str) -> Key:
    return Key.of(ShiftGrant, f"{resource}/{person}")


def _has_access(resource: Resource, shift: Shift, snap: Snapshot) -> bool:
    """Return whether the person has this shift's access already, or has left this shift: it was on when it
    was given back or revoked."""
    known = snap.find(ShiftGrant, f"{resource.name}/{shift.person}")
    was_left = False
    if known and known.left_at:
        was_left = shift.start is None or shift.start <= known.left_at
    elif known and known.ended_early and shift.end is None:
        was_left = snap.now < known.ended_early
    elif known and known.ended_early:
        was_left = shift.start is None or shift.start < known.ended_early
    return was_left or any(
        grant.person == shift.person and grant.shift_ground and grant.state in LIVE
        for grant in snap.all(Grant)
        if snap.live(grant)
    )


def _objection(
    resource: Resource, rule: OnCall, shift: Shift, catalog: Catalog, facts: Facts
) -> Reason | None:
    if facts_age(rule.schedule, facts) > catalog.source(rule.schedule).start_stale_after:
        return because(Why.SHIFT_NOT_STARTED, resource=resource.name, schedule=rule.schedule)
    if facts.rosters[rule.schedule].doubted:
        return because(Why.SHIFT_DOUBTED, resource=resource.name, schedule=rule.schedule)
    person = facts.people.get(str(shift.person))
    against = objection(person, home=facts.home, domains=catalog.people.email_domains)
    if against is None and person and person.email != shift.email:
        return because(Why.NOT_ON_CALL, schedule=rule.schedule)
    return against or automatic_objection(str(shift.person), resource, facts)


def _start_change(grant_id: str, resource: Resource, rule: OnCall, shift: Shift, basis: Basis) -> Change:
    """Return what must be written for the shift's access: one more ground, or a grant. Raises Refused if the
    person has no account to give it to."""
    catalog, snap = basis
    person = str(shift.person)
    if shift.end is None:
        until = snap.now + timedelta(seconds=resource.lengths.max)
    else:
        until = shift.end + timedelta(seconds=rule.grace)
    name = rule_name(rule)
    ground = Ground(cause=Cause.SHIFT, since=snap.now, until=until, rule=name, lives_by=rule, ends_with=rule)
    held = live_grant(person, resource, catalog, snap)
    if held:
        grant, change = ground_addition(held, ground, snap)
    else:
        age_s = int(facts_age(rule.schedule, facts_of(snap)))
        about: dict[str, str | int] = {"schedule": rule.schedule, "age_s": age_s}
        if shift.end:
            about["until_at"] = int(shift.end.timestamp())
        traced = Traced(rule=name, outcome=YES, reason=because(Why.SHIFT_STARTED, **about))
        grant = unrequested_grant(grant_id, person, resource, Origin.SHIFT, traced, basis)
        grant, change = admission(grant, ground, resource, catalog, snap)
    key = shift_key(resource.name, person)
    return replace(change, put={**change.put, key: ShiftGrant(grant=grant.id)})


def _not_started(
    resource: Resource, shift: Shift, reason: Reason, snap: Snapshot, new_id: Callable[[], str]
) -> Start:
    """Return a note to the person on call, once a shift, that says why its access was not given."""
    if reason.why in PASSING:
        return Start(again=True)
    person = str(shift.person)
    known = snap.find(ShiftGrant, f"{resource.name}/{person}") or ShiftGrant(grant=None)
    if known.told_at and (shift.start is None or shift.start <= known.told_at):
        return Start()
    note = Note(id=new_id(), channel=person, reason=reason)
    facts = {"person": person, "resource": resource.name, "why": reason.why.value}
    change = Change(
        put={shift_key(resource.name, person): replace(known, grant=None, told_at=snap.now)},
        audit=(Entry(what="shift not started", facts=facts),),
    )
    return Start(change=with_contest(change.plus(note_change(snap.now, note)), reason, snap.now))
