"""Many people who hold something: each grant as it lies in Redis once it was approved, given and told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from bot.core import grants
from bot.core.catalog import Catalog, Resource
from bot.core.grants import Cause, Grant, Ground, Origin, State, Vote
from bot.core.holds import Hold, HoldRecord, Phase, Presence, Receipt
from bot.core.people import Person
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due, Entry, Lease, LeaseMove
from bot.ports.documents import Account, Card, EmailOwner, Key, Place
from bot.usecases.access.outcomes import LOOK_EVERY, hold_name
from bot.usecases.requests.admit import PEOPLE_EVERY, approval_entry, indexes
from tests.bench.always_ok import TEAM, email_of
from tests.bench.deeds import Deeds

AT_ONCE = 50
"""Grants in one commit, so that a hundred thousand are written in a minute."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """``seen_at``: when the hold was last looked at; it is looked at again ten minutes later. ``resource``
    None: one after the other of those that are plain. ``had_before``: it is not ours to revoke."""

    name: str
    given_at: datetime
    seen_at: datetime
    until: datetime
    resource: str | None = None
    had_before: bool = False


def settle(ledger: RedisLedger, deeds: Deeds, catalog: Catalog, lives: Iterable[Life]) -> None:
    plain = [each for each in catalog.resources.values() if len(each.gives) == 1 and not each.one_holder]
    numbered = iter(enumerate(lives))
    while some := tuple(islice(numbered, AT_ONCE)):
        change, given = Change(), list[Hold]()
        for number, life in some:
            resource = catalog.resources[life.resource] if life.resource else plain[number % len(plain)]
            grant = _grant(life, resource, catalog.version)
            given += () if life.had_before else grant.gives
            change = change.plus(_lived(life, grant))
        ledger.commit(change)
        for hold in given:  # a sweep that finds it before there is a record takes it for a stray
            deeds.append("give", hold)


def account_of(name: str) -> str:
    return email_of(f"U{name}")


def channel_of(name: str) -> str:
    return f"D{name}"


def _lived(life: Life, grant: Grant) -> Change:
    holds = tuple(_records(grant, life))
    about = {"seen": "ours", "person": grant.person}
    given = (Entry(what="given", grant=grant.id, facts={"hold": hold_name(h), **about}) for h in grant.gives)
    looks = (Due.hold(h.key, at=min(life.until, life.seen_at + LOOK_EVERY)) for h in grant.gives)
    known_since = (life.given_at - life.seen_at) / LOOK_EVERY * PEOPLE_EVERY
    accounts = {f"{grant.person}/{hold.target}": Account(name=hold.account) for hold in grant.gives}
    place = Place(channel=channel_of(life.name), audience="holder", ts="1.000001", shown="holder:then")
    return Change(
        put={
            Key.of(Grant, grant.id): grant,
            Key.of(Card, grant.id): Card(places=(place,)),
            **_person(life, grant.person),
            **{Key.of(HoldRecord, record.hold.key): record for record in holds},
            **{Key.of(Account, name): account for name, account in accounts.items()},
        },
        leases=(Lease(grant=grant.id, how=LeaseMove.START, until=life.until),),
        index={(name, grant.id): True for name in indexes(grant)},
        due=(
            *looks,
            Due.people(grant.person, at=life.given_at + PEOPLE_EVERY - known_since),
        ),
        audit=(
            approval_entry(grant),
            *given,
            Entry(what="active", grant=grant.id, facts={"person": grant.person}),
        ),
    )


def _grant(life: Life, resource: Resource, policy: str) -> Grant:
    asked = Grant(
        id=life.name,
        person=f"U{life.name}",
        resource=resource.name,
        origin=Origin.ASKED,
        state=State.ASKED,
        asked_at=life.given_at,
        length=round((life.until - life.given_at).total_seconds()),
        reason="orders 1002 and 1003 are stuck",
        policy=policy,
        votes=(Vote(person="U02BOB", at=life.given_at),),
        asked_people=("U02BOB",),
        seated=resource.one_holder,
    )
    held = [
        Hold(target=each.target, account=account_of(life.name), entitlement=each) for each in resource.gives
    ]
    ground = Ground(
        cause=Cause.APPROVAL,
        since=life.given_at,
        until=life.until,
        rule="approvers",
        approved_by=("U02BOB",),
    )
    grant = grants.approve(asked, now=life.given_at, ground=ground, gives=held)
    for hold in held:
        grant = grants.hold_given(grant, hold.key, now=life.given_at, had_before=life.had_before)
    return grant


def _records(grant: Grant, life: Life) -> Iterator[HoldRecord]:
    for hold in grant.gives:
        yield HoldRecord(
            hold=hold,
            phase=Phase.GIVEN,
            baseline=Presence.THEIRS if life.had_before else Presence.NONE,
            receipts=(Receipt(system=hold.target),),
            given_until=life.until,
            seen_at=life.seen_at,
        )


def _person(life: Life, person: str) -> dict[Key, Person | EmailOwner]:
    email = account_of(life.name)
    known = Person(
        id=person, team=TEAM, name=life.name, email=email, email_confirmed=True, read_at=life.given_at
    )
    return {
        Key.of(Person, person): known,
        Key.of(EmailOwner, email): EmailOwner(people=(person,), read_at=life.given_at),
    }
