"""What people may see: their own grants, what they may ask for, who has a resource."""

from __future__ import annotations

from dataclasses import replace

from bot.core.catalog import Catalog, Resource
from bot.core.errors import refuse
from bot.core.grants import Grant, State
from bot.core.members import Facts, for_revoking
from bot.core.people import objection
from bot.core.policy import (
    Ask,
    Outcome,
    approver_objection,
    decide,
    may_not_ask,
    security_objection,
)
from bot.core.reasons import Reason, Why
from bot.ports import Change, Due, Homepage, Key, Note, Snapshot
from bot.usecases.answers import HomeView, Offer, Standing
from bot.usecases.ask import named
from bot.usecases.office import (
    Office,
    decider_keys,
    fact_keys,
    facts_of,
    security_keys,
    standing,
)


def mine(office: Office, *, person: str) -> tuple[Standing, ...]:
    """All that is not finished, the soonest end first."""
    catalog, snap = office.gather(lambda _: (), (f"person:{person}",))
    return _standings(snap, catalog)


def offers(office: Office, *, person: str) -> tuple[Offer, ...]:
    """What the person may ask for, and what asking now would come to."""
    office.meet(person)
    catalog, snap = office.gather(lambda known: _all_keys(known, person))
    return _offers(person, catalog, snap)


def who(office: Office, *, person: str, resource: str) -> tuple[Standing, ...]:
    """Everybody whose grant of the resource is not finished. For those who may ask for it, its approvers and
    security people; raises Refused for others."""
    office.meet(person)
    catalog, snap = office.gather(
        lambda known: (
            fact_keys(known.resources[resource], person) | security_keys(known)
            if resource in known.resources
            else ()
        ),
        (f"resource:{resource}",),
    )
    found = named(catalog, resource)
    if _may_not_see(person, found, catalog, facts_of(snap, found)):
        raise refuse(Why.MAY_NOT_ASK, resource=resource)
    return _standings(snap, catalog)


def home_view(office: Office, person: str) -> HomeView:
    office.meet(person)
    catalog, snap = office.gather(lambda known: _all_keys(known, person), (f"person:{person}", "asked"))
    everything = _standings(snap, catalog)
    return HomeView(
        person=person,
        mine=tuple(each for each in everything if each.grant.person == person),
        waiting=tuple(each for each in everything if _waits_for(person, each, catalog, snap)),
        offers=_offers(person, catalog, snap),
    )


def owe_home(office: Office, *, person: str) -> None:
    """The person looked at the App Home: publish it, and again whenever what it shows changes."""
    key = Key.of(Homepage, person)
    snap = office.ledger.read({key})
    office.ledger.commit(
        Change(ensure={key: Homepage(person=person)}, due=(Due(member=f"home:{person}", at=snap.now),))
    )


def owe_whisper(office: Office, *, channel: str, person: str, reason: Reason, op: str) -> None:
    """Tell one person something in a channel, where only they see it."""
    note = Note(id=office.new_id(), channel=channel, reason=reason, whisper_to=person)
    snap = office.ledger.read(())
    office.ledger.commit(
        Change(
            op=f"{op}:whisper",
            put={Key.of(Note, note.id): note},
            due=(Due(member=f"note:{note.id}", at=snap.now),),
        )
    )


def first_time(office: Office, *, op: str) -> bool:
    """Whether this has not been done before; from now on it has."""
    return not office.ledger.commit(Change(op=op)).again


def _standings(snap: Snapshot, catalog: Catalog) -> tuple[Standing, ...]:
    found = [standing(snap, catalog, grant) for grant in snap.all(Grant) if grant.open]
    return tuple(sorted(found, key=lambda each: (each.until is None, each.until or each.grant.asked_at)))


def _all_keys(catalog: Catalog, person: str) -> set[Key]:
    every = catalog.resources.values()
    return {key for each in every for key in fact_keys(each, person) | decider_keys(each, catalog)}


def _offers(person: str, catalog: Catalog, snap: Snapshot) -> tuple[Offer, ...]:
    found = (
        _offer(person, resource, catalog, facts_of(snap, resource)) for resource in catalog.resources.values()
    )
    return tuple(offer for offer in found if offer)


def _offer(person: str, resource: Resource, catalog: Catalog, facts: Facts) -> Offer | None:
    if may_not_ask(person, resource, catalog, facts):
        return None
    who = facts.people.get(person)
    if objection(who, home=facts.home, domains=catalog.people.email_domains):
        return None
    ask = Ask(person=person, resource=resource, length=resource.lengths.min, reason="", any_reason=True)
    decision = decide(ask, catalog, facts)
    if decision.outcome not in (Outcome.APPROVE, Outcome.ASK):
        return None
    return Offer(resource=resource, outcome=decision.outcome.value, reason=decision.reason)


def _may_not_see(person: str, resource: Resource, catalog: Catalog, facts: Facts) -> bool:
    known = facts.people.get(person)
    if objection(known, home=facts.home, domains=catalog.people.email_domains):
        return True
    return bool(
        may_not_ask(person, resource, catalog, facts)
        and approver_objection(person, resource, catalog, facts)
        and security_objection(person, catalog, for_revoking(facts))
    )


def _waits_for(person: str, each: Standing, catalog: Catalog, snap: Snapshot) -> bool:
    grant = each.grant
    resource = catalog.resources.get(grant.resource)
    if grant.state is not State.ASKED or grant.undecided or grant.person == person or not resource:
        return False
    if any(vote.person == person for vote in grant.votes):
        return False
    if not resource.approvers and any(line.reason.why is Why.REVOKED_LATELY for line in grant.trace):
        resource = replace(resource, approvers=catalog.security.people)
    return approver_objection(person, resource, catalog, facts_of(snap, resource)) is None
