"""Keeps people as Slack described them, and notices if two of them have one email address."""

from __future__ import annotations

from dataclasses import replace

from bot.core.document import Document
from bot.core.people import Person, owners_of_address
from bot.ports.changes import Change, Due, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import EmailOwner, Home, Key
from bot.ports.ledger import Ledger
from bot.ports.slack import Directory
from bot.usecases.retry import retry_conflicts


def look_up(ledger: Ledger, directory: Directory, person: str, deadline: Deadline) -> None:
    """Ask Slack who this is, and keep the answer. A person whom Slack no longer knows is kept as deactivated.
    If somebody else wrote about the person meanwhile, Slack is asked again: an answer that was long under way
    must not replace a newer one. Raises TemporaryFailure and PermanentFailure as the directory does."""

    def attempt() -> None:
        before = ledger.read({Key.of(Person, person)})
        known = before.find(Person, person)
        found = directory.person(person, deadline) or (known and replace(known, deactivated=True))
        if found:
            _remember(ledger, found, before)

    retry_conflicts(attempt)


def remember(ledger: Ledger, person: Person) -> None:
    """Keep a person as Slack has just described them, marked if somebody else who could be given something
    has the same email address."""
    retry_conflicts(lambda: _remember(ledger, person, ledger.read({Key.of(Person, person.id)})))


def take_hint(ledger: Ledger, hint: Person) -> None:
    """Owe a look-up of a person about whom Slack says that something has changed, if that may matter: a
    picture or a status does not. The hint itself is not relied on."""
    owner = Key.of(EmailOwner, hint.email or "")
    snap = ledger.read({Key.of(Person, hint.id), owner})
    known, owned = snap.find(Person, hint.id), snap.find(EmailOwner, owner.id)
    others = set(owned.people) - {hint.id} if owned else set()
    # these are not said in a hint, or nobody relies on them
    same = known and replace(hint, name=known.name, shared_email=known.shared_email, read_at=known.read_at)
    if others or known != same:
        ledger.commit(Change(due=(Due.people(hint.id, at=snap.now),), frees=True))


def _remember(ledger: Ledger, person: Person, first: Snapshot) -> None:
    """Commit the person. The owners of their old and new email addresses change, so everybody concerned is
    looked at for what they may hold. If this is somebody new with an address of their own, a full Redis may
    refuse it: nobody holds anything by that address."""
    before = first.find(Person, person.id)
    emails = {each.email for each in (before, person) if each and each.email}
    owned = ledger.read({Key.of(Home), *(Key.of(EmailOwner, email) for email in emails)})
    home = owned.find(Home)
    others = {each for owner in owned.all(EmailOwner) for each in owner.people} - {person.id}
    snap = ledger.read({Key.of(Person, each) for each in others}) if others else Snapshot(now=owned.now)
    known = {each.id: each for each in snap.all(Person)}
    known[person.id] = replace(person, shared_email=False, read_at=snap.now)
    put: dict[Key, Document | None] = {}
    for email in emails:
        owners = owners_of_address(email, known.values(), home.team if home else None)
        owner = EmailOwner(people=owners, read_at=snap.now)
        put[Key.of(EmailOwner, email)] = owner if owners or email == person.email else None
        known |= {each: replace(known[each], shared_email=len(owners) > 1) for each in owners}
    changed = [each for each in known.values() if each not in snap.all(Person)]
    due = tuple(Due.people(each.id, at=snap.now) for each in changed if each.id != person.id)
    put |= {Key.of(Person, each.id): each for each in changed}
    frees = before is not None or bool(others)
    ledger.commit(Change(rests_on=(first, owned, snap), put=put, due=due, frees=frees))
