"""Owners of accounts at targets: the person whom the policy names, otherwise the one who used the account
first.

Email addresses are given out again, so a second person who comes with somebody else's account gets nothing.
Security people are asked whether the two are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from bot.core.catalog import Catalog, digest
from bot.core.document import Document
from bot.core.errors import Conflict, Refused, refuse
from bot.core.grants import LIVE, Grant
from bot.core.holds import Hold
from bot.core.people import Person
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Due, Snapshot
from bot.ports.documents import Account, AccountOwner, Alert, Key
from bot.ports.ledger import Ledger

VERBS = ("same_person", "somebody_else")


def owner_name(target: str, account: str) -> str:
    return f"{target}/{account}"


def owner_key(target: str, account: str) -> Key:
    return Key.of(AccountOwner, owner_name(target, account))


def with_owners(ledger: Ledger, wanted: Iterable[Key], catalog: Catalog, snap: Snapshot) -> Snapshot:
    """Return the snapshot with the owners of the accounts that the people of these ``Account`` keys would
    use."""
    found: set[Key] = set()
    kind = Key.of(Account).kind
    for key in wanted:
        if key.kind == kind:
            person, _, target = key.id.partition("/")
            with suppress(Refused):
                found.add(owner_key(target, account_name(person, target, catalog, snap)))
    unread = found - snap.versions.keys()
    if not unread:
        return snap
    more = ledger.read(unread)
    return replace(
        snap,
        documents={**snap.documents, **more.documents},
        versions={**snap.versions, **more.versions},
    )


def account_name(person: str, target: str, catalog: Catalog, snap: Snapshot) -> str:
    """Return the name of the account that the person would use at a target. Raises Refused if there is none
    to go by, or if it was taken from the email address and is no longer the one used before."""
    named = catalog.people.accounts.get(person, {}).get(target)
    if named:
        return named
    known = snap.find(Person, person)
    email = known.email if known else None
    if not email:
        raise refuse(Why.NO_EMAIL, person=person)
    pinned = snap.find(Account, f"{person}/{target}")
    if pinned and pinned.name != email:
        raise refuse(Why.ACCOUNT_CHANGED, person=person, target=target, was=pinned.name)
    return email


def owner_objection(
    person: str, target: str, account: str, catalog: Catalog, snap: Snapshot, resource: str = ""
) -> Reason | None:
    """Return why the account is not this person's. ``resource`` is what they would use it for."""
    if catalog.is_shared(target, account):
        return None
    about = {"person": person, "target": target, "account": account}
    named = catalog.named_for(target, account)
    if named:
        return None if person in named else because(Why.ACCOUNT_OF_ANOTHER, owner_person=named[0], **about)
    owner = snap.find(AccountOwner, owner_name(target, account))
    if owner is None or owner.person == person:
        return None
    if person in owner.others:
        return because(Why.ACCOUNT_OF_ANOTHER, owner_person=owner.person, **about)
    return because(Why.ACCOUNT_TAKEN, resource=resource, **about, **owner_facts(owner))


def owner_facts(owner: AccountOwner) -> dict[str, str | int]:
    since = int(owner.since.timestamp()) if owner.since else 0
    return {"owner_person": owner.person, **({"since_at": since} if since else {})}


def claims(
    person: str, holds: Iterable[Hold], catalog: Catalog, snap: Snapshot
) -> dict[Key, Document | None]:
    """Return what must be written for these accounts to be the person's. Raises Conflict if their owners were
    not read: of two who claim an account at the same moment, one must see the other."""
    put: dict[Key, Document | None] = {}
    for hold in holds:
        key = owner_key(hold.target, hold.account)
        if catalog.is_shared(hold.target, hold.account):
            continue
        if key not in snap.versions:
            raise Conflict(f"the owner of {key.id} was not read")
        owner = snap.find(AccountOwner, key.id)
        if owner is None or owner.person != person:
            put[key] = AccountOwner(person=person, since=snap.now)
    return put


def sharers(ledger: Ledger, grant: Grant, catalog: Catalog) -> tuple[tuple[str, datetime | None], ...]:
    """Return the other people with a login that this grant is about and that is meant to be shared, and until
    when: anyone who knows the login may still use what it holds for them."""
    shared = {
        (hold.target, hold.account) for hold in grant.gives if catalog.is_shared(hold.target, hold.account)
    }
    if not shared:
        return ()
    given = {*(gives for each in catalog.resources.values() for gives in each.gives)}
    given |= {hold.entitlement for hold in grant.gives}
    holds = (
        Hold(target=target, account=account, entitlement=each)
        for target, account in shared
        for each in given
        if each.target == target
    )
    snap = ledger.read((), [f"hold:{hold.key}" for hold in holds])
    ends: dict[str, datetime | None] = {}
    for each in snap.all(Grant):
        if each.person != grant.person and each.state in LIVE and snap.live(each):
            end, known = snap.leases[each.id], ends.get(each.person, snap.now)
            ends[each.person] = max(end, known) if end and known else None
    return tuple(sorted(ends.items()))


def note_owners(ledger: Ledger, users: Mapping[Key, AccountOwner]) -> None:
    """Commit the owners of these accounts, unless they are known: an older version did not record them. A
    full Redis accepts it, so that this stops nothing else."""
    known = ledger.read(users)
    unknown = {key: owner for key, owner in users.items() if key not in known.documents}
    if unknown:
        ledger.commit(Change(ensure=unknown, frees=True))


def users_of(grants: Iterable[Grant]) -> dict[Key, AccountOwner]:
    """Return the users of the accounts that these grants hold; if there are several, the first of them."""
    held = [(grant.approved_at, grant, hold) for grant in grants if grant.approved_at for hold in grant.gives]
    return {
        owner_key(hold.target, hold.account): AccountOwner(person=grant.person, since=since)
        for since, grant, hold in sorted(held, key=lambda each: each[0], reverse=True)
    }


def with_contest(refusing: Change, reason: Reason, now: datetime) -> Change:
    """Return the change together with the question to security people, if somebody is refused by it because
    an account is somebody else's. The same question is asked once."""
    if reason.why is not Why.ACCOUNT_TAKEN:
        return refusing
    facts = reason.facts
    name = owner_name(str(facts["target"]), str(facts["account"]))
    alert = Alert(
        id=f"A{digest(name, facts['owner_person'], facts['person'], facts.get('since_at'))}",
        reason=because(Why.ACCOUNT_CONTESTED, **facts),
        account=name,
        asks=True,
        verbs=VERBS,
        person=str(facts["person"]),
        resource=str(facts["resource"]) or None,
    )
    return replace(
        refusing,
        ensure={**refusing.ensure, Key.of(Alert, alert.id): alert},
        due=(*refusing.due, Due.alert(alert.id, at=now)),
    )
