"""Writing an approval: what is held from now on, until when, and what the worker owes for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core import grants
from bot.core.catalog import AutomaticRule, Catalog, OnCall, Resource
from bot.core.errors import Refused
from bot.core.grants import Grant, State
from bot.core.holds import Hold
from bot.core.people import Person
from bot.ports import Account, Change, Document, Due, Entry, Key, Lease, Seat, Snapshot
from bot.usecases.ownership import account_name, claims, owner_objection

PEOPLE_EVERY = timedelta(minutes=15)
JUST_NOW = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Which rule let it in, until when, and that rule where the grant lives by it."""

    rule: str
    until: datetime
    depends_on: AutomaticRule | None = None


def indexes(grant: Grant) -> tuple[str, ...]:
    """The sets an open grant is in."""
    holds = tuple(f"hold:{hold.key}" for hold in grant.gives)
    targets = dict.fromkeys(f"target:{hold.target}" for hold in grant.gives)
    waits = ("asked",) if grant.state is State.ASKED else ()
    late = ("overdue",) if grant.overdue_since else ()
    people = (f"person:{grant.person}", f"resource:{grant.resource}")
    return ("open", *waits, *late, *people, *holds, *targets)


def holds_for(person: str, resource: Resource, catalog: Catalog, snap: Snapshot) -> tuple[Hold, ...]:
    """What the resource gives, at this person's accounts. Raises Refused as ``account_of`` does."""
    return tuple(
        Hold(
            target=each.target,
            account=account_of(person, each.target, catalog, snap, resource.name),
            entitlement=each,
        )
        for each in resource.gives
    )


def account_of(person: str, target: str, catalog: Catalog, snap: Snapshot, resource: str = "") -> str:
    """The person's account at a target, for this resource. Raises Refused if there is none to go by, if it
    was taken from the email address and is no longer the one used before, or if it is somebody else's."""
    account = account_name(person, target, catalog, snap)
    against = owner_objection(person, target, account, catalog, snap, resource)
    if against:
        raise Refused(against)
    return account


def admission(
    grant: Grant, approval: Approval, resource: Resource, catalog: Catalog, snap: Snapshot
) -> tuple[Grant, Change]:
    """The approved grant and all that must be written for it, in one commit."""
    held = holds_for(grant.person, resource, catalog, snap)
    moved = replace(
        grants.approve(grant, now=snap.now, until=approval.until, gives=held, rule=approval.rule),
        depends_on=approval.depends_on,
        policy=catalog.version,
        seated=resource.one_holder,
    )
    due = [Due(member=f"hold:{hold.key}", at=snap.now) for hold in held]
    due += [
        Due(member=f"card:{grant.id}", at=snap.now),
        Due(member=f"people:{grant.person}", at=_looked_at(grant.person, snap)),
    ]
    if isinstance(approval.depends_on, OnCall):
        due.append(Due(member=f"shift:{resource.name}", at=approval.until))
    put: dict[Key, Document | None] = {Key.of(Grant, grant.id): moved}
    put |= claims(grant.person, held, catalog, snap)
    if resource.one_holder:
        seat = Seat(grant=grant.id, person=grant.person, until=approval.until)
        put[Key.of(Seat, resource.name)] = seat
    return moved, Change(
        rests_on=(snap,),
        put=put,
        ensure={
            Key.of(Account, f"{grant.person}/{hold.target}"): Account(name=hold.account)
            for hold in held
            if not catalog.people.accounts.get(grant.person, {}).get(hold.target)
        },
        leases=(Lease(grant=grant.id, how="start", until=approval.until),),
        index={("asked", grant.id): False} | {(name, grant.id): True for name in indexes(moved)},
        due=tuple(due),
        audit=(approval_entry(moved),),
    )


def _looked_at(person: str, snap: Snapshot) -> datetime:
    """Who was not looked up for this very decision is looked up now, and what they got ends if it must."""
    known = snap.find(Person, person)
    just_now = known is not None and known.age(snap.now) <= JUST_NOW
    return snap.now + PEOPLE_EVERY if just_now else snap.now


def approval_entry(grant: Grant) -> Entry:
    return Entry(
        what="approved",
        grant=grant.id,
        by=grant.votes[-1].person if grant.votes else None,
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
