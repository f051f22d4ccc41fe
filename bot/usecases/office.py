"""What every use-case works with: the ledger, the policy in force, and the people known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from bot.core.catalog import Catalog, Resource
from bot.core.errors import Conflict, PermanentFailure, Refused, TemporaryFailure, refuse
from bot.core.grants import Grant
from bot.core.members import Facts
from bot.core.people import FRESH_FOR, KNOWN_FOR, Group, Person
from bot.core.reasons import Why
from bot.core.shifts import Roster
from bot.ports import (
    Account,
    Card,
    Change,
    Deadline,
    Directory,
    Document,
    EmailOwner,
    Entry,
    Home,
    Key,
    Ledger,
    Place,
    PolicyInForce,
    PolicyText,
    Seat,
    Snapshot,
)
from bot.usecases.answers import Standing

T = TypeVar("T")
Scene = tuple[Catalog, Snapshot]
"""The policy in force and what was read under it."""

LOOK_UP_WITHIN = 1.0
POLICY, HOME = Key.of(PolicyInForce), Key.of(Home)


class Office:
    """``load`` turns a checked policy text into a catalog and raises Misconfigured where this process
    cannot; ``new_id`` gives a fresh, unguessable id."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        load: Callable[[str], Catalog],
        new_id: Callable[[], str],
    ) -> None:
        self.ledger = ledger
        self.directory = directory
        self.new_id = new_id
        self._load = load
        self._catalog: Catalog | None = None
        self._loading = threading.Lock()

    def gather(
        self, wanted: Callable[[Catalog], Iterable[Key]], follow: Iterable[str] = ()
    ) -> tuple[Catalog, Snapshot]:
        """The policy in force and the documents wanted under it, all as of one moment."""
        for _ in range(5):
            catalog = self._catalog
            keys = {POLICY, HOME, *(wanted(catalog) if catalog else ())}
            snap = self.ledger.read(keys, follow)
            force = snap.find(PolicyInForce)
            if force is None:
                raise TemporaryFailure("no policy is in force yet: start a process with an access.yaml")
            if catalog and catalog.version == force.version:
                return catalog, snap
            self._follow(force.version)
        raise TemporaryFailure("the policy is changing faster than it can be read")

    def catalog(self) -> Catalog:
        return self.gather(lambda _: ())[0]

    def home(self) -> Home | None:
        return self.ledger.read({HOME}).find(Home)

    def card_places(self, grant: str) -> tuple[Place, ...]:
        card = self.ledger.read({Key.of(Card, grant)}).find(Card, grant)
        return card.places if card else ()

    def grant(self, grant: str) -> Grant:
        found = self.ledger.read({Key.of(Grant, grant)}).find(Grant, grant)
        if found is None:
            raise refuse(Why.GRANT_UNKNOWN, grant=grant[:40])
        return found

    def meet(self, *people: str) -> None:
        """See to it that these are known: who was not read lately is looked up, within a second; where
        that fails, what is known within a day still counts, and who is not known stays unknown."""
        snap = self.ledger.read({Key.of(Person, each) for each in people})
        for each in people:
            known = snap.find(Person, each)
            if known is None or snap.now - known.read_at > FRESH_FOR:
                self._look_up(each)

    def _look_up(self, person: str) -> None:
        try:
            found = self.directory.person(person, Deadline.after(LOOK_UP_WITHIN))
        except (TemporaryFailure, PermanentFailure):
            return
        if found:
            remember(self.ledger, found)

    def once(self, op: str, what: str, by: str, attempt: Callable[[], T]) -> T | str:
        """What ``attempt`` returns, tried again where it lost to somebody else. A refusal is put in the
        audit; where this very op had been done before, the answer it gave then is returned instead."""
        try:
            return settled(attempt)
        except Refused as refused:
            about = {"why": refused.reason.why.value, **refused.reason.facts}
            entry = Entry(what=f"{what} refused", by=by, facts=about)
            receipt = self.ledger.commit(Change(op=op, audit=(entry,)))
            if receipt.again and receipt.answer:
                return receipt.answer
            raise

    def _follow(self, version: str) -> None:
        with self._loading:
            if self._catalog and self._catalog.version == version:
                return
            text = self.ledger.read({Key.of(PolicyText, version)}).find(PolicyText, version)
            if text is None:
                raise TemporaryFailure(f"the text of policy {version} is missing")
            self._catalog = self._load(text.text)


def settled(attempt: Callable[[], T]) -> T:
    """Decide and commit, looking again as often as somebody else was faster; at most ten times."""
    for _ in range(10):
        try:
            return attempt()
        except Conflict:
            continue
    raise TemporaryFailure("too much is changing at once")


# -------------------------------------------------------------------------------------------- facts


def fact_keys(resource: Resource, *people: str) -> set[Key]:
    """The documents that a decision about the resource and these people rests on."""
    keys = {Key.of(Person, each) for each in people}
    keys |= {Key.of(Roster, each) for each in resource.schedules()}
    keys |= {Key.of(Group, each) for each in resource.groups()}
    keys |= {Key.of(Account, f"{each}/{gives.target}") for each in people for gives in resource.gives}
    if resource.one_holder:
        keys.add(Key.of(Seat, resource.name))
    return keys


def facts_of(snap: Snapshot, resource: Resource | None = None) -> Facts:
    """The facts in a snapshot. People read too long ago are left out: they count as unknown."""
    home = snap.find(Home)
    seat = snap.find(Seat, resource.name) if resource and resource.one_holder else None
    return Facts(
        now=snap.now,
        home=home.team if home else None,
        people={p.id: p for p in snap.all(Person) if snap.now - p.read_at <= KNOWN_FOR},
        groups={group.name: group for group in snap.all(Group)},
        rosters={roster.schedule: roster for roster in snap.all(Roster)},
        holder=seat.person if seat else None,
        holder_until=seat.until if seat else None,
    )


def standing(snap: Snapshot, catalog: Catalog | None, grant: Grant) -> Standing:
    resource = catalog.resources.get(grant.resource) if catalog else None
    live = snap.live(grant)
    until: datetime | None = snap.leases.get(grant.id) if live else grant.until
    title = resource.title if resource else grant.resource
    return Standing(grant=grant, title=title, live=live, until=until)


def stand(office: Office, grant: str) -> Standing:
    """How a grant stands now, read afresh."""
    catalog, snap = office.gather(lambda _: {Key.of(Grant, grant)})
    found = snap.find(Grant, grant)
    if found is None:
        raise refuse(Why.GRANT_UNKNOWN, grant=grant[:40])
    return standing(snap, catalog, found)


# ------------------------------------------------------------------------------------------- people


def remember(ledger: Ledger, person: Person) -> Person:
    """Keep a person as Slack described them, marked where an active somebody has the same email."""
    return settled(lambda: _remember(ledger, person))


def _remember(ledger: Ledger, person: Person) -> Person:
    if not person.email:
        ledger.commit(Change(put={Key.of(Person, person.id): person}))
        return person
    email = Key.of(EmailOwner, person.email)
    first = ledger.read({email})
    before = first.find(EmailOwner, person.email)
    others = {each for each in (before.people if before else ()) if each != person.id}
    snap = ledger.read({Key.of(Person, person.id), *(Key.of(Person, each) for each in others)})
    namesakes = [
        p for p in snap.all(Person) if p.id in others and p.email == person.email and not p.deactivated
    ]
    owners = {p.id for p in namesakes} | (set() if person.deactivated else {person.id})
    shared = len(owners) > 1
    put: dict[Key, Document] = {
        Key.of(Person, p.id): replace(p, shared_email=shared) for p in (*namesakes, person)
    }
    put[email] = EmailOwner(people=tuple(sorted(owners)), read_at=person.read_at)
    ledger.commit(Change(rests_on=(first, snap), put=put))
    return replace(person, shared_email=shared)
