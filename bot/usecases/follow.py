"""Following the shifts: access that starts and ends with them, and asks that live by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.catalog import Catalog, OnCall, Resource
from bot.core.errors import Refused
from bot.core.grants import LIVE, Grant, Origin, State, Traced, move_end
from bot.core.members import Facts, facts_age, rule_name
from bot.core.people import objection
from bot.core.policy import seat_objection
from bot.core.reasons import Reason, Why, because
from bot.core.rightful import rightful_end
from bot.core.shifts import Shift, next_boundary, on_call
from bot.ports import Change, Document, Done, Due, Entry, Key, Note, ShiftGrant, Snapshot
from bot.usecases.admit import PEOPLE_EVERY, Approval, admission
from bot.usecases.extend import moved_lease
from bot.usecases.finish import ending, joined
from bot.usecases.office import Office, Scene, fact_keys, facts_of, remember, settled
from bot.usecases.turn import Turn

LOOK_EVERY = timedelta(minutes=5)
SEAT_AGAIN = timedelta(seconds=10)
SOON = timedelta(minutes=10)
TELL_AGAIN_AFTER = timedelta(hours=12)


def follow(office: Office, turn: Turn) -> None:
    """Make the grants of one resource (``shift:<name>``) equal to the stored rosters, and be due again
    at the next moment a shift starts or ends."""
    settled(lambda: _follow(office, turn))


def _follow(office: Office, turn: Turn) -> None:
    name = turn.claim.id
    people = _people(office, name)
    catalog, snap = office.gather(lambda known: _keys(known, name, people), (f"resource:{name}",))
    resource = catalog.resources.get(name)
    change = Change(rests_on=(snap,))
    ended: set[str] = set()
    for grant in (g for g in snap.all(Grant) if g.state in LIVE and snap.live(g)):
        part = judged(grant, (catalog, snap))
        if part:
            ended |= {grant.person} if grant.origin is Origin.SHIFT and part.frees else set()
            change = joined(change, part)
    if resource and resource.on_shift:
        for part in _starts(office, resource, resource.on_shift, (catalog, snap), ended):
            change = joined(change, part)
    next_at = _next(resource, snap) if resource else None
    office.ledger.commit(replace(change, done=Done(claim=turn.claim, next_at=next_at)))


def _people(office: Office, name: str) -> set[str]:
    """Everybody in the rosters of the resource and everybody who holds it; who is on call now or soon is
    looked up ahead, so that a shift starts without waiting for Slack."""
    catalog, snap = office.gather(
        lambda known: fact_keys(known.resources[name]) if name in known.resources else (),
        (f"resource:{name}",),
    )
    resource = catalog.resources.get(name)
    rosters = facts_of(snap).rosters if resource else {}
    rostered = {s.person for roster in rosters.values() for s in roster.shifts if s.person}
    soon = {
        shift.person
        for roster in rosters.values()
        for shift in roster.shifts
        if shift.person and (shift.covers(snap.now) or shift.covers(snap.now + SOON))
    }
    office.meet(*soon)
    return rostered | {grant.person for grant in snap.all(Grant)}


def _keys(catalog: Catalog, name: str, people: Iterable[str]) -> set[Key]:
    resource = catalog.resources.get(name)
    if resource is None:
        return set()
    shifts = {Key.of(ShiftGrant, f"{name}/{person}") for person in people}
    return fact_keys(resource, *people) | shifts


def judged(grant: Grant, scene: Scene) -> Change | None:
    """What today's facts make of a live grant: nothing, an earlier end, or (for a shift's own) a later."""
    catalog, snap = scene
    found = rightful_end(grant, catalog, facts_of(snap))
    if found is None:
        return None
    until, reason = found
    if until <= snap.now:
        return ending(grant, snap, reason, None)[1]
    moved = move_end(grant, until=until)
    return moved_lease(moved, until, Snapshot(now=snap.now), by=None, what="end moved with the shift")


# --------------------------------------------------------------------------------------------- starts


def _starts(
    office: Office, resource: Resource, rule: OnCall, scene: Scene, ended: set[str]
) -> Iterable[Change]:
    snap = scene[1]
    roster = facts_of(snap, resource).rosters.get(rule.schedule)
    for shift in on_call(roster, rule.levels, snap.now) if roster else ():
        if shift.person is None or shift.person in ended or _held(resource, shift.person, snap):
            continue
        part = _start(office, resource, rule, shift, scene)
        if part:
            yield part
            if resource.one_holder:
                return


def _held(resource: Resource, person: str, snap: Snapshot) -> bool:
    """The person has this shift's access already, or has given it back for as long as it was to last."""
    shift = snap.find(ShiftGrant, f"{resource.name}/{person}")
    if shift and shift.ended_early and snap.now < shift.ended_early:
        return True
    return any(
        grant.person == person and grant.origin is Origin.SHIFT and grant.state in LIVE
        for grant in snap.all(Grant)
        if snap.live(grant)
    )


def _start(office: Office, resource: Resource, rule: OnCall, shift: Shift, scene: Scene) -> Change | None:
    catalog, snap = scene
    person, facts = str(shift.person), facts_of(snap, resource)
    if seat_objection(person, resource, facts):
        return None
    if facts_age(rule.schedule, facts) > catalog.source(rule.schedule).start_stale_after:
        stale = because(Why.SHIFT_NOT_STARTED, resource=resource.name, schedule=rule.schedule)
        return _not_started(office, resource, person, snap, stale)
    domains = catalog.people.email_domains
    against = objection(facts.people.get(person), home=facts.home, domains=domains)
    if against:
        return _not_started(office, resource, person, snap, against)
    approval = Approval(rule=rule_name(rule), until=_until(shift, rule, resource, snap.now), depends_on=rule)
    grant = _grant(office.new_id(), resource, rule, shift, scene)
    try:
        grant, change = admission(grant, approval, resource, catalog, snap)
    except Refused as refused:
        return _not_started(office, resource, person, snap, refused.reason)
    key = Key.of(ShiftGrant, f"{resource.name}/{person}")
    return replace(change, put={**change.put, key: ShiftGrant(grant=grant.id)})


def _until(shift: Shift, rule: OnCall, resource: Resource, now: datetime) -> datetime:
    if shift.end is None:
        return now + timedelta(seconds=resource.lengths.max)
    return shift.end + timedelta(seconds=rule.grace)


def _grant(grant_id: str, resource: Resource, rule: OnCall, shift: Shift, scene: Scene) -> Grant:
    catalog, snap = scene
    about: dict[str, str | int] = {
        "schedule": rule.schedule,
        "age_s": int(facts_age(rule.schedule, facts_of(snap))),
    }
    if shift.end:
        about["until_at"] = int(shift.end.timestamp())
    trace = Traced(rule=rule_name(rule), outcome="yes", reason=because(Why.SHIFT_STARTED, **about))
    return Grant(
        id=grant_id,
        person=str(shift.person),
        resource=resource.name,
        origin=Origin.SHIFT,
        state=State.ASKED,
        asked_at=snap.now,
        length=None,
        reason="",
        policy=catalog.version,
        trace=(trace,),
    )


def _not_started(
    office: Office, resource: Resource, person: str, snap: Snapshot, reason: Reason
) -> Change | None:
    """The person on call is told, once, why a shift's access was not given."""
    key = Key.of(ShiftGrant, f"{resource.name}/{person}")
    told = snap.find(ShiftGrant, f"{resource.name}/{person}")
    if told and told.told_at and snap.now - told.told_at < TELL_AGAIN_AFTER:
        return None
    note = Note(id=office.new_id(), channel=person, reason=reason)
    put: dict[Key, Document | None] = {
        Key.of(Note, note.id): note,
        key: ShiftGrant(grant=None, told_at=snap.now),
    }
    facts = {"person": person, "resource": resource.name, "why": reason.why.value}
    return Change(
        put=put,
        due=(Due(member=f"note:{note.id}", at=snap.now),),
        audit=(Entry(what="shift not started", facts=facts),),
    )


def _next(resource: Resource, snap: Snapshot) -> datetime | None:
    facts: Facts = facts_of(snap, resource)
    rules = [who for who in resource.selectors() if isinstance(who, OnCall)]
    moments = [snap.now + LOOK_EVERY]
    for rule in rules:
        roster = facts.rosters.get(rule.schedule)
        if roster:
            grace = timedelta(seconds=rule.grace)
            moments += filter(None, [next_boundary(roster, rule.levels, snap.now, grace)])
    if resource.one_holder and resource.on_shift:
        moments.append(snap.now + SEAT_AGAIN)
    return min(moments) if rules else None


def refresh_person(office: Office, turn: Turn) -> None:
    """Look a person up anew (``people:<id>``) for as long as they hold something; whoever is no longer
    an active full member loses it now."""
    person = turn.claim.id
    found = office.directory.person(person, turn.call())
    if found:
        remember(office.ledger, found)
    settled(lambda: _judge_all(office, person, turn))


def _judge_all(office: Office, person: str, turn: Turn) -> None:
    catalog, snap = office.gather(lambda known: _person_keys(known, person), (f"person:{person}",))
    change = Change(rests_on=(snap,))
    held = [grant for grant in snap.all(Grant) if grant.open]
    for grant in held:
        if grant.state in LIVE and snap.live(grant):
            change = joined(change, judged(grant, (catalog, snap)) or Change())
    next_at = snap.now + PEOPLE_EVERY if held else None
    office.ledger.commit(replace(change, done=Done(claim=turn.claim, next_at=next_at)))


def _person_keys(catalog: Catalog, person: str) -> set[Key]:
    return {key for resource in catalog.resources.values() for key in fact_keys(resource, person)}
