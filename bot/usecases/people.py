"""Keeping people as Slack described them, and noticing where two have one email address."""

from __future__ import annotations

from dataclasses import replace

from bot.core.people import Person
from bot.ports import Change, Document, EmailOwner, Key, Ledger
from bot.usecases.attempts import settled


def remember(ledger: Ledger, person: Person) -> None:
    """Keep a person as Slack described them just now, marked where an active somebody has the same email."""
    settled(lambda: _remember(ledger, person))


def forget(ledger: Ledger, person: str) -> None:
    """Slack says that it knows nobody of this id any more: as if deactivated."""
    known = ledger.read({Key.of(Person, person)}).find(Person, person)
    if known:
        remember(ledger, replace(known, deactivated=True))


def _remember(ledger: Ledger, person: Person) -> None:
    """The email address that the person had before has other owners from now on, too."""
    first = ledger.read({Key.of(Person, person.id)})
    before = first.find(Person, person.id)
    emails = {each.email for each in (before, person) if each and each.email}
    owned = ledger.read({Key.of(EmailOwner, email) for email in emails})
    others = {each for owner in owned.all(EmailOwner) for each in owner.people} - {person.id}
    snap = ledger.read({Key.of(Person, each) for each in others})
    known = {each.id: each for each in snap.all(Person)}
    known[person.id] = replace(person, shared_email=False, read_at=snap.now)
    put: dict[Key, Document | None] = {}
    for email in emails:
        owners = sorted(p.id for p in known.values() if p.email == email and not p.deactivated)
        owner = EmailOwner(people=tuple(owners), read_at=snap.now)
        put[Key.of(EmailOwner, email)] = owner if owners or email == person.email else None
        known |= {each: replace(known[each], shared_email=len(owners) > 1) for each in owners}
    put |= {Key.of(Person, each.id): each for each in known.values() if each not in snap.all(Person)}
    ledger.commit(Change(rests_on=(first, owned, snap), put=put))
