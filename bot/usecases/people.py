"""Keeping people as Slack described them, and noticing where two have one email address."""

from __future__ import annotations

from dataclasses import replace

from bot.core.people import Person
from bot.ports import Change, Document, EmailOwner, Key, Ledger, Snapshot
from bot.usecases.attempts import settled


def remember(ledger: Ledger, person: Person) -> Person:
    """Keep a person as Slack described them just now, marked where an active somebody has the same email."""
    return settled(lambda: _remember(ledger, person))


def forget(ledger: Ledger, person: str) -> None:
    """Slack says that it knows nobody of this id any more: as if deactivated."""
    known = ledger.read({Key.of(Person, person)}).find(Person, person)
    if known:
        remember(ledger, replace(known, deactivated=True))


def _remember(ledger: Ledger, person: Person) -> Person:
    own = Key.of(Person, person.id)
    if not person.email:
        snap = ledger.read({own})
        kept = replace(person, read_at=snap.now)
        ledger.commit(Change(rests_on=(snap,), put={own: kept}))
        return kept
    email = Key.of(EmailOwner, person.email)
    first = ledger.read({email})
    before = first.find(EmailOwner, person.email)
    others = {each for each in (before.people if before else ()) if each != person.id}
    snap = ledger.read({own, *(Key.of(Person, each) for each in others)})
    namesakes = _namesakes(snap, person, others)
    owners = {p.id for p in namesakes} | (set() if person.deactivated else {person.id})
    shared = len(owners) > 1
    kept = replace(person, shared_email=shared, read_at=snap.now)
    put: dict[Key, Document | None] = {
        Key.of(Person, p.id): replace(p, shared_email=shared) for p in namesakes
    }
    put[own] = kept
    put[email] = EmailOwner(people=tuple(sorted(owners)), read_at=snap.now)
    ledger.commit(Change(rests_on=(first, snap), put=put))
    return kept


def _namesakes(snap: Snapshot, person: Person, others: set[str]) -> list[Person]:
    """Those of the others who are active and still have the person's email address."""
    known = (p for p in snap.all(Person) if p.id in others)
    return [p for p in known if p.email == person.email and not p.deactivated]
