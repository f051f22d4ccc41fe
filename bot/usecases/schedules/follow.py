"""Follows the facts that access rests on: above all shifts, and who is still an active full member."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.core.blocks import Ban, Block
from bot.core.catalog import Catalog, Resource, groups_in, schedules_in, shift_rules
from bot.core.grants import LIVE, Grant
from bot.core.people import Group, Person
from bot.core.policy import closed_objection
from bot.core.reasons import Reason
from bot.core.rightful import rightful
from bot.core.shifts import Roster, next_boundary, on_call
from bot.ports.changes import Change, Done, Snapshot
from bot.ports.documents import Key
from bot.usecases.context import Basis, Context, fact_keys, facts_of
from bot.usecases.job import Job
from bot.usecases.people import look_up
from bot.usecases.requests.admit import PEOPLE_EVERY, lease_move
from bot.usecases.requests.finish import ending
from bot.usecases.retry import retry_conflicts
from bot.usecases.schedules.starts import shift_key, starts

LOOK_EVERY = timedelta(minutes=5)
AGAIN = timedelta(seconds=5)
SOON = timedelta(minutes=10)


def follow(context: Context, job: Job) -> None:
    """Make the grants of one resource (``shift:<name>``) equal to the stored rosters, and be due again
    at the next moment a shift starts or ends. What shortens access is written first, and alone."""
    name = job.claim.id

    def attempt() -> None:
        basis = _look(context, name)
        if _shorten(context, basis):
            basis = _look(context, name)
        catalog, snap = basis
        resource = catalog.resources.get(name)
        shorter, giving = _end_changes(basis)
        again = bool(shorter)
        if resource and resource.on_shift:
            for start in starts(resource, resource.on_shift, basis, context.new_id):
                giving += [start.change] if start.change else []
                again |= start.again
        _close(context, job, snap, giving, _next(resource, snap, again=again))

    retry_conflicts(attempt)


def _look(context: Context, name: str) -> Basis:
    """Read what a look at one resource rests on: everyone on call now or soon, and everyone who holds it.
    Those who are on call are looked up ahead, so that a shift starts without waiting for Slack."""
    index = (f"resource:{name}",)
    _, first = context.read_basis(
        lambda known: fact_keys(known.resources[name]) if name in known.resources else (), index
    )
    soon = {
        shift.person
        for roster in first.all(Roster)
        for shift in roster.shifts
        if shift.person and shift.overlaps(first.now, first.now + SOON)
    }
    context.look_up_people(*sorted(soon))
    held = first.all(Grant)
    people, rests_on = soon | {grant.person for grant in held}, ground_keys(held)

    def keys(known: Catalog) -> set[Key]:
        resource = known.resources.get(name)
        if resource is None:
            return rests_on | {Key.of(Person, each) for each in people}
        shifts = {shift_key(name, person) for person in people}
        return rests_on | shifts | fact_keys(resource, *people)

    return context.read_basis(keys, index)


def _shorten(context: Context, basis: Basis) -> bool:
    """Commit the ends and the earlier ends, if there are any. This is written even while the audit cannot be
    written or Redis is full, so nothing that gives access may be in the same commit."""
    shorter, _ = _end_changes(basis)
    if shorter:
        context.ledger.commit(Change(rests_on=(basis[1],)).plus(*shorter))
    return bool(shorter)


def _close(
    context: Context, job: Job, snap: Snapshot, giving: Sequence[Change], next_at: datetime | None
) -> None:
    """Commit what gives access, and close the claim."""
    done = Done(claim=job.claim, next_at=next_at)
    change = Change(rests_on=(snap,), done=done, frees=not giving).plus(*giving)
    context.ledger.commit(change)


def ground_keys(held: Iterable[Grant]) -> set[Key]:
    """Return the keys of the documents by which the grounds of these grants live, including those of rules
    that the policy no longer has."""
    grounds = [ground for grant in held for ground in grant.stands_on]
    rules = {rule for ground in grounds for rule in (ground.lives_by, ground.ends_with)}
    rosters = {Key.of(Roster, each) for each in schedules_in(rules)}
    return rosters | {Key.of(Group, each) for each in groups_in(rules)}


def _end_changes(basis: Basis) -> tuple[list[Change], list[Change]]:
    """Return what the current facts change about the live grants: first earlier ends, then
    later ones. Only a shift's own grant gets a later end, and none does while the policy in force cannot be
    followed."""
    catalog, snap = basis
    facts, may_grow = facts_of(snap), not closed_objection(catalog)
    found: list[Change] = []
    for grant in snap.all(Grant):
        if grant.state not in LIVE or not snap.live(grant):
            continue
        moved = rightful(grant, catalog, facts, may_grow=may_grow)
        if isinstance(moved, Reason):
            found.append(ending(grant, snap, moved, None)[1])
        elif moved != grant:
            fallen = [
                each.fell.why.value for each in moved.grounds if each.fell and each not in grant.grounds
            ]
            about = {"fallen": fallen} if fallen else {}
            found.append(
                lease_move(grant, moved, snap, by=None, what="end moved with the facts", facts=about)
            )
    return [each for each in found if each.frees], [each for each in found if not each.frees]


def _next(resource: Resource | None, snap: Snapshot, *, again: bool) -> datetime | None:
    """Return the next moment at which a shift starts, ends or is over with its grace, or a block or a seat
    ends; LOOK_EVERY from now at the latest, and sooner if a fact is missing. Return None if nothing of the
    resource follows a shift."""
    grounds = [ground for grant in snap.all(Grant) for ground in grant.stands_on]
    of_grounds = [rule for ground in grounds for rule in (ground.lives_by, ground.ends_with)]
    every = (*of_grounds, *(resource.selectors() if resource else ()))
    rules = shift_rules(every)
    rosters = {roster.schedule: roster for roster in snap.all(Roster)}
    moments = [snap.now + (AGAIN if again else LOOK_EVERY)]
    moments += [block.until for block in snap.all(Block) if block.until > snap.now]
    seats = snap.seats.get(resource.name) if resource else None
    ends = [each.until for each in (seats.holders if seats else ()) if each.until]
    moments += [each for each in ends if each > snap.now]
    for rule in rules:
        roster = rosters.get(rule.schedule)
        if roster is None:
            continue
        grace = timedelta(seconds=rule.grace)
        moments += filter(None, [next_boundary(roster, rule.levels, snap.now, grace)])
        if resource and any(shift.end is None for shift in on_call(roster, rule.levels, snap.now)):
            moments.append(snap.now + timedelta(seconds=resource.lengths.max) / 2)
    return min(moments) if rules else None


def refresh_person(context: Context, job: Job) -> None:
    """Look a person up again (``people:<id>``), for as long as they hold or request something. Anyone who is
    no longer an active full member loses it now."""
    person = job.claim.id
    look_up(context.ledger, context.directory, person, job.call())

    def attempt() -> None:
        basis = _basis_of(context, person)
        if _shorten(context, basis):
            basis = _basis_of(context, person)
        snap = basis[1]
        held = any(grant.open for grant in snap.all(Grant))
        _close(context, job, snap, _end_changes(basis)[1], snap.now + PEOPLE_EVERY if held else None)

    retry_conflicts(attempt)


def _basis_of(context: Context, person: str) -> Basis:
    """Read what the person's grants rest on, and not what all resources rest on, which may be very much."""
    resources: set[str] = set()
    rests_on: set[Key] = set()

    def keys(catalog: Catalog) -> set[Key]:
        known = [catalog.resources[name] for name in resources if name in catalog.resources]
        own = {Key.of(Person, person), Key.of(Ban, person), *rests_on}
        return own.union(*(fact_keys(each, person) for each in known))

    while True:
        basis = context.read_basis(keys, (f"person:{person}",))
        held = basis[1].all(Grant)
        found = {grant.resource for grant in held}
        if found <= resources and ground_keys(held) <= rests_on:
            return basis
        resources |= found
        rests_on |= ground_keys(held)
