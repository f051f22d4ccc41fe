"""Looks at what is live under a policy that was just applied, and ends what that policy does not allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure
from bot.core.grants import LIVE, Grant
from bot.core.outdated import policy_objection
from bot.core.people import Person
from bot.core.reasons import Reason
from bot.ports.changes import Change, Snapshot
from bot.ports.documents import Key, PolicyInForce
from bot.ports.ledger import Census, Ledger
from bot.usecases.context import HOME, POLICY, fact_keys, facts_of
from bot.usecases.requests.finish import ending
from bot.usecases.retry import retry_conflicts


@dataclass(frozen=True, kw_only=True)
class Outdated:
    """A live grant that the policy does not allow, and why. ``until`` is None if no end is set."""

    grant: Grant
    why: Reason
    name: str | None
    until: datetime | None


def outdated_grants(ledger: Ledger, census: Census, catalog: Catalog) -> Iterator[Outdated]:
    """Yield the live grants that the catalog does not allow, as far as the stored facts tell."""
    for page in census.grants("open"):
        found = ledger.read(Key.of(Grant, each) for each in page)
        live = [grant for grant in found.all(Grant) if grant.state in LIVE and found.live(grant)]
        snap = ledger.read({key for grant in live for key in _keys(grant, catalog)})
        for each in snap.all(Grant):
            outdated = _outdated_grant(each, snap, catalog)
            if outdated:
                yield outdated


def end_outdated(ledger: Ledger, catalog: Catalog, grant: str) -> Outdated | None:
    """Commit the end of this grant, and return it. None if it is over, or allowed, by now. Raises
    PermanentFailure if another policy has come into force."""

    def attempt() -> Outdated | None:
        first = ledger.read({Key.of(Grant, grant)}).find(Grant, grant)
        if first is None:
            return None
        snap = ledger.read({POLICY, *_keys(first, catalog)})
        force = snap.find(PolicyInForce)
        if force is None or force.version != catalog.version:
            raise PermanentFailure("another policy came into force meanwhile: apply yours again")
        found = snap.find(Grant, grant)
        outdated = _outdated_grant(found, snap, catalog) if found else None
        if outdated:
            _, part = ending(outdated.grant, snap, outdated.why, None)
            ledger.commit(Change(rests_on=(snap,), frees=True).plus(part))
        return outdated

    return retry_conflicts(attempt)


def _outdated_grant(grant: Grant, snap: Snapshot, catalog: Catalog) -> Outdated | None:
    if grant.state not in LIVE or not snap.live(grant):
        return None
    why = policy_objection(grant, catalog, facts_of(snap, catalog.resources.get(grant.resource)))
    if why is None:
        return None
    person = snap.find(Person, grant.person)
    name = person.name if person else None
    return Outdated(grant=grant, why=why, name=name, until=snap.leases.get(grant.id))


def _keys(grant: Grant, catalog: Catalog) -> set[Key]:
    resource = catalog.resources.get(grant.resource)
    facts = fact_keys(resource, grant.person) if resource else set()
    return {HOME, Key.of(Grant, grant.id), Key.of(Person, grant.person)} | facts
