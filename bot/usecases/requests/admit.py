"""Approvals as they are written: what is held from now on, until when, and what the worker owes for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.core import grants
from bot.core.blocks import Block, block_name
from bot.core.catalog import Catalog, Entitlement, Resource
from bot.core.document import Document
from bot.core.errors import Conflict, Refused
from bot.core.grants import LIVE, Grant, Ground, State
from bot.core.holds import Hold
from bot.core.people import Person
from bot.ports.changes import Change, Due, Entry, Lease, LeaseMove, Snapshot
from bot.ports.documents import Account, Key, Seat
from bot.usecases.schedules.ownership import account_name, claims, owner_objection

PEOPLE_EVERY = timedelta(minutes=15)
JUST_NOW = timedelta(seconds=10)


def indexes(grant: Grant) -> tuple[str, ...]:
    """Return the names of the indexes that an open grant is in."""
    holds = tuple(f"hold:{hold.key}" for hold in grant.gives)
    targets = dict.fromkeys(f"target:{hold.target}" for hold in grant.gives)
    gives = dict.fromkeys(gives_index(hold.entitlement) for hold in grant.gives)
    waits = ("asked",) if grant.state is State.ASKED or grant.extension else ()
    late = ("overdue",) if grant.overdue_since else ()
    people = (f"person:{grant.person}", f"resource:{grant.resource}")
    return ("open", *waits, *late, *people, *holds, *targets, *gives)


def gives_index(entitlement: Entitlement) -> str:
    """Return the name of the index of all open grants that hold an entitlement, through any resource."""
    return f"gives:{entitlement.key}"


def holds_for(person: str, resource: Resource, catalog: Catalog, snap: Snapshot) -> tuple[Hold, ...]:
    """Return the holds that the resource gives at this person's accounts. Raises Refused as ``account_of``
    does."""
    return tuple(
        Hold(
            target=each.target,
            account=account_of(person, each.target, catalog, snap, resource.name),
            entitlement=each,
        )
        for each in resource.gives
    )


def account_of(person: str, target: str, catalog: Catalog, snap: Snapshot, resource: str = "") -> str:
    """Return the person's account at a target, for this resource. Raises Refused if there is none to go by,
    if it was taken from the email address and is no longer the one used before, or if it is somebody
    else's."""
    account = account_name(person, target, catalog, snap)
    against = owner_objection(person, target, account, catalog, snap, resource)
    if against:
        raise Refused(against)
    return account


def admission(
    grant: Grant, ground: Ground, resource: Resource, catalog: Catalog, snap: Snapshot
) -> tuple[Grant, Change]:
    """Return the approved grant and all that must be written for it, in one commit. If only one may hold the
    resource, that rests on everybody who holds any of it: of two who claim it at the same moment, one must
    see the other. Raises Conflict if the holders were not read."""
    seats = snap.seats.get(resource.name)
    if resource.one_holder and seats is None:
        raise Conflict(f"the holders of {resource.name} were not read")
    held = holds_for(grant.person, resource, catalog, snap)
    moved = replace(
        grants.approve(grant, now=snap.now, gives=held, ground=ground),
        policy=catalog.version,
        seated=resource.one_holder,
    )
    # anyone who was not looked up for this very decision is looked up now: their access ends again if it must
    person = snap.find(Person, grant.person)
    just_now = person is not None and person.age(snap.now) <= JUST_NOW
    due = [Due.hold(hold.key, at=snap.now) for hold in held]
    due.append(Due.card(grant.id, at=snap.now))
    due.append(Due.people(grant.person, at=snap.now + PEOPLE_EVERY if just_now else snap.now))
    if ground.shift_rule:
        due.append(Due.shift(resource.name, at=ground.until))
    put: dict[Key, Document | None] = {Key.of(Grant, grant.id): moved}
    put |= claims(grant.person, held, catalog, snap)
    seat = Key.of(Seat, resource.name)
    if snap.versions.get(seat):
        put[seat] = None
    audit = [approval_entry(moved)]
    block = Key.of(Block, block_name(resource.name, grant.person))
    if snap.versions.get(block):
        put[block] = None
        about = {"person": grant.person, "resource": resource.name}
        audit.append(Entry(what="block ended", grant=grant.id, by=_last_voter(moved), facts=about))
    return moved, Change(
        rests_on=(snap,),
        members=seats.members if seats else {},
        put=put,
        ensure={
            Key.of(Account, f"{grant.person}/{hold.target}"): Account(name=hold.account)
            for hold in held
            if not catalog.people.accounts.get(grant.person, {}).get(hold.target)
        },
        leases=(Lease(grant=grant.id, how=LeaseMove.START, until=ground.until),),
        index={("asked", grant.id): False} | {(name, grant.id): True for name in indexes(moved)},
        due=tuple(due),
        audit=tuple(audit),
    )


def gives_the_same(grant: Grant, resource: Resource, catalog: Catalog, snap: Snapshot) -> bool:
    """Return whether the resource gives today, at this person's accounts, exactly what the grant holds."""
    try:
        held = holds_for(grant.person, resource, catalog, snap)
    except Refused:
        return False
    return {hold.key for hold in held} == set(grant.holds)


def ground_addition(
    grant: Grant, ground: Ground, snap: Snapshot, *, by: str | None = None
) -> tuple[Grant, Change]:
    """Return the live grant with one more ground, and what must be written for it."""
    moved = grants.add_ground(grant, ground)
    change = lease_move(grant, moved, snap, by=by, what="ground added", facts=ground_facts(ground))
    return moved, replace(change, frees=False)


def live_grant(person: str, resource: Resource, catalog: Catalog, snap: Snapshot) -> Grant | None:
    """Return the live grant by which the person has exactly what the resource gives today; if there are
    several, the one that ends last."""
    found = [
        each
        for each in snap.all(Grant)
        if (each.person, each.resource) == (person, resource.name)
        and each.state in LIVE
        and snap.live(each)
        and gives_the_same(each, resource, catalog, snap)
    ]
    return max(found, key=lambda each: (each.until is None, each.until or snap.now), default=None)


def lease_move(
    grant: Grant, moved: Grant, snap: Snapshot, *, by: str | None, what: str, facts: Mapping[str, object]
) -> Change:
    """Return what must be written for a live grant whose grounds changed. A grant that has ended in the
    meantime stays ended (Conflict). A full Redis still accepts it if the end is not later than before."""
    put: dict[Key, Document | None] = {Key.of(Grant, moved.id): moved}
    end, until = snap.leases.get(grant.id), moved.until or snap.now
    if end == until:
        leases: tuple[Lease, ...] = ()
        holds: list[Due] = []
    else:
        leases = (Lease(grant=moved.id, how=LeaseMove.MOVE, until=until),)
        holds = [Due.hold(hold.key, at=min(until, snap.now)) for hold in moved.gives]
    about = {"person": moved.person, "resource": moved.resource, "until": until.isoformat(), **facts}
    cards = [moved.id, *([moved.extension.id] if moved.extension else [])]
    return Change(
        rests_on=(snap,),
        needs=(moved.id,),
        put=put,
        leases=leases,
        index={("asked", moved.id): moved.extension is not None},
        due=(*holds, *(Due.card(each, at=snap.now) for each in cards)),
        audit=(Entry(what=what, grant=moved.id, by=by, facts=about),),
        frees=end is None or until <= end,
    )


def ground_facts(ground: Ground) -> dict[str, object]:
    """Return what the audit says about a ground."""
    return {
        "cause": ground.cause.value,
        "rule": ground.rule,
        "ground_until": ground.until.isoformat(),
        "votes": list(ground.approved_by),
    }


def _last_voter(grant: Grant) -> str | None:
    return grant.votes[-1].person if grant.votes else None


def approval_entry(grant: Grant) -> Entry:
    return Entry(
        what="approved",
        grant=grant.id,
        by=_last_voter(grant),
        facts={
            "person": grant.person,
            "resource": grant.resource,
            "rule": grant.rule,
            "policy": grant.policy,
            "until": grant.until.isoformat() if grant.until else None,
            "reason": grant.reason,
            "votes": [vote.person for vote in grant.votes],
            "trace": [
                {"rule": t.rule, "outcome": t.outcome, "why": t.reason.why, **t.reason.facts}
                for t in grant.trace
            ],
        },
    )
