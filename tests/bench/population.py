"""Many people who hold something: their grants as they are in Redis once approved, granted and shown."""

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
from tests.bench.calls import GRANT, CallLog

AT_ONCE = 50
"""Grants in one commit, so that a hundred thousand are written in a minute."""


@dataclass(frozen=True, kw_only=True)
class LiveGrant:
    """One person's live grant, of a resource that gives one thing if none is named. Its hold was last read
    from the target at ``seen_at``, and is read again ten minutes later. If it was ``had_before``, it is not
    ours to revoke."""

    name: str
    given_at: datetime
    seen_at: datetime
    until: datetime
    resource: str | None = None
    had_before: bool = False


def write_grants(ledger: RedisLedger, calls: CallLog, catalog: Catalog, grants: Iterable[LiveGrant]) -> None:
    plain = [each for each in catalog.resources.values() if len(each.gives) == 1 and not each.one_holder]
    numbered = iter(enumerate(grants))
    while some := tuple(islice(numbered, AT_ONCE)):
        change, granted = Change(), list[Hold]()
        for number, live in some:
            resource = catalog.resources[live.resource] if live.resource else plain[number % len(plain)]
            grant = _grant(live, resource, catalog.version)
            granted += () if live.had_before else grant.gives
            change = change.plus(_change(live, grant))
        ledger.commit(change)
        for hold in granted:  # a sweep that finds it before there is a record takes it for a stray
            calls.append(GRANT, hold)


def account_of(name: str) -> str:
    return email_of(f"U{name}")


def channel_of(name: str) -> str:
    return f"D{name}"


def _change(live: LiveGrant, grant: Grant) -> Change:
    holds = tuple(_records(grant, live))
    about = {"seen": "ours", "person": grant.person}
    given = (Entry(what="given", grant=grant.id, facts={"hold": hold_name(h), **about}) for h in grant.gives)
    looks = (Due.hold(h.key, at=min(live.until, live.seen_at + LOOK_EVERY)) for h in grant.gives)
    known_since = (live.given_at - live.seen_at) / LOOK_EVERY * PEOPLE_EVERY
    accounts = {f"{grant.person}/{hold.target}": Account(name=hold.account) for hold in grant.gives}
    place = Place(channel=channel_of(live.name), audience="holder", ts="1.000001", shown="holder:then")
    return Change(
        put={
            Key.of(Grant, grant.id): grant,
            Key.of(Card, grant.id): Card(places=(place,)),
            **_person(live, grant.person),
            **{Key.of(HoldRecord, record.hold.key): record for record in holds},
            **{Key.of(Account, name): account for name, account in accounts.items()},
        },
        leases=(Lease(grant=grant.id, how=LeaseMove.START, until=live.until),),
        index={(name, grant.id): True for name in indexes(grant)},
        due=(
            *looks,
            Due.people(grant.person, at=live.given_at + PEOPLE_EVERY - known_since),
        ),
        audit=(
            approval_entry(grant),
            *given,
            Entry(what="active", grant=grant.id, facts={"person": grant.person}),
        ),
    )


def _grant(live: LiveGrant, resource: Resource, policy: str) -> Grant:
    asked = Grant(
        id=live.name,
        person=f"U{live.name}",
        resource=resource.name,
        origin=Origin.ASKED,
        state=State.ASKED,
        asked_at=live.given_at,
        length=round((live.until - live.given_at).total_seconds()),
        reason="orders 1002 and 1003 are stuck",
        policy=policy,
        votes=(Vote(person="U02BOB", at=live.given_at),),
        asked_people=("U02BOB",),
        seated=resource.one_holder,
    )
    held = [
        Hold(target=each.target, account=account_of(live.name), entitlement=each) for each in resource.gives
    ]
    ground = Ground(
        cause=Cause.APPROVAL,
        since=live.given_at,
        until=live.until,
        rule="approvers",
        approved_by=("U02BOB",),
    )
    grant = grants.approve(asked, now=live.given_at, ground=ground, gives=held)
    for hold in held:
        grant = grants.hold_given(grant, hold.key, now=live.given_at, had_before=live.had_before)
    return grant


def _records(grant: Grant, live: LiveGrant) -> Iterator[HoldRecord]:
    for hold in grant.gives:
        yield HoldRecord(
            hold=hold,
            phase=Phase.GIVEN,
            baseline=Presence.THEIRS if live.had_before else Presence.NONE,
            receipts=(Receipt(system=hold.target),),
            given_until=live.until,
            seen_at=live.seen_at,
        )


def _person(live: LiveGrant, person: str) -> dict[Key, Person | EmailOwner]:
    email = account_of(live.name)
    known = Person(
        id=person, team=TEAM, name=live.name, email=email, email_confirmed=True, read_at=live.given_at
    )
    return {
        Key.of(Person, person): known,
        Key.of(EmailOwner, email): EmailOwner(people=(person,), read_at=live.given_at),
    }
