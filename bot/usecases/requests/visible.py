"""Visibility of resources. To anyone who may not know of it, a hidden one reads as if it were not there."""

from __future__ import annotations

from bot.core.catalog import Catalog, Resource
from bot.core.errors import refuse
from bot.core.grants import Grant
from bot.core.members import YES, Facts, belongs, for_revoking
from bot.core.people import objection
from bot.core.policy import security_objection
from bot.core.reasons import Why
from bot.ports.changes import Snapshot
from bot.ports.documents import Key
from bot.usecases.context import Basis, Context, fact_keys, facts_of, security_keys

MOST_KNOWN = 200
"""The most names among which the one that was meant is looked for."""


def may_see(person: str, resource: Resource, catalog: Catalog, facts: Facts) -> bool:
    """Return whether the person may request or approve it, or is one of the security people.

    Return False if that is not known.
    """
    known = facts.people.get(person)
    if objection(known, home=facts.home, domains=catalog.people.email_domains):
        return False
    if any(
        belongs(person, who, catalog, facts).outcome == YES
        for who in (*resource.who_may_ask, *resource.approvers)
    ):
        return True
    return security_objection(person, catalog, for_revoking(facts)) is None


def hidden_from(person: str, resource: Resource, catalog: Catalog, snap: Snapshot) -> bool:
    """Return whether the person must not learn that there is such a resource. Anyone who has it knows."""
    if not resource.hidden or may_see(person, resource, catalog, facts_of(snap, resource)):
        return False
    mine = (each for each in snap.all(Grant) if each.person == person)
    return not any(each.resource == resource.name and each.open for each in mine)


def sight_keys(catalog: Catalog, name: str, person: str) -> set[Key]:
    """Return the keys to read to decide about the resource of that name and whether the person may see it."""
    resource = catalog.resources.get(name)
    return fact_keys(resource, person) | security_keys(catalog) if resource else set()


def resource_for(context: Context, person: str, name: str, basis: Basis) -> Resource:
    """Return the resource of that name. Raises Refused, in the same words if there is none and if it is
    hidden from the person, and suggests only names of what the person may see."""
    catalog, snap = basis
    resource = catalog.resources.get(name)
    if resource and not hidden_from(person, resource, catalog, snap):
        return resource
    catalog, snap = context.read_basis(
        lambda known: {key for each in known.resources for key in sight_keys(known, each, person)}
    )
    facts = facts_of(snap)
    seen = [each.name for each in catalog.resources.values() if may_see(person, each, catalog, facts)]
    raise refuse(Why.RESOURCE_UNKNOWN, name=name[:80], known=", ".join(sorted(seen)[:MOST_KNOWN]))
