"""Views for people: their own grants, what they may request, and who has a resource."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from bot.core.catalog import Catalog
from bot.core.errors import Refused, refuse
from bot.core.grants import LIVE, NOT_BEGUN, Grant, State
from bot.core.people import objection
from bot.core.policy import (
    Ask,
    Outcome,
    approver_objection,
    decide,
    may_not_ask,
    seat_objection,
)
from bot.core.reasons import Reason, Why
from bot.ports.changes import Change, Due, Snapshot
from bot.ports.documents import Homepage, Key, Note
from bot.usecases.context import (
    Context,
    decider_keys,
    fact_keys,
    facts_of,
    security_keys,
    standing,
)
from bot.usecases.notes import note_change
from bot.usecases.requests.granting import terms_now
from bot.usecases.requests.visible import may_see, resource_for, sight_keys
from bot.usecases.results import HELD, HomeView, Offer, Standing


def mine(context: Context, *, person: str) -> HomeView:
    """Return all open grants of the person, the soonest end first, and what waits for their decision."""
    context.look_up_people(person)
    return _view(context, person, offers=False)


def offers(context: Context, *, person: str) -> tuple[Offer, ...]:
    """Return what the person may request, and what requesting it now would come to."""
    context.look_up_people(person)
    catalog, snap = context.read_basis(lambda known: _all_keys(known, person))
    return _offers(person, catalog, snap)


def askable(context: Context, *, person: str) -> tuple[str, ...]:
    """Return the names of the resources that the person may request, as far as is known: nobody is looked up,
    and somebody not known yet counts as a full member."""
    catalog, snap = context.read_basis(lambda known: _all_keys(known, person))
    facts = facts_of(snap)
    known = facts.people.get(person)
    if known and objection(known, home=facts.home, domains=catalog.people.email_domains):
        return ()
    return tuple(
        name
        for name, resource in catalog.resources.items()
        if not may_not_ask(person, resource, catalog, facts)
    )


def waiting_for(
    context: Context, *, person: str, resource: str = "", holder: str = ""
) -> tuple[Standing, ...]:
    """Return what waits for this person's approval, limited to a resource or to the person who requested it
    if these are given."""
    context.look_up_people(person)
    waiting = _view(context, person, offers=False).waiting
    return tuple(
        each
        for each in waiting
        if resource in ("", each.grant.resource) and holder in ("", each.grant.person)
    )


def held_by(context: Context, *, person: str, holder: str) -> tuple[str, ...]:
    """Return the names of the resources that ``holder`` has or waits for, of those that ``person`` may
    see."""
    context.look_up_people(person)
    catalog, snap = context.read_basis(
        lambda known: _all_keys(known, person) | security_keys(known), (f"person:{holder}",)
    )
    endable = (grant for grant in snap.all(Grant) if grant.state in LIVE or grant.state in NOT_BEGUN)
    held = {grant.resource for grant in endable if grant.person == holder}
    known = (catalog.resources[name] for name in sorted(held) if name in catalog.resources)
    return tuple(each.name for each in known if may_see(person, each, catalog, facts_of(snap, each)))


def who(context: Context, *, person: str, resource: str) -> tuple[Standing, ...]:
    """Return all open grants of the resource. Raises Refused, unless the person may request it, is one of its
    approvers, or one of the security people."""
    context.look_up_people(person)
    catalog, snap = context.read_basis(
        lambda known: sight_keys(known, resource, person),
        (f"resource:{resource}",),
    )
    found = resource_for(context, person, resource, (catalog, snap))
    if not may_see(person, found, catalog, facts_of(snap, found)):
        raise refuse(Why.MAY_NOT_ASK, resource=resource)
    return _standings(snap, catalog)


def home_view(context: Context, person: str) -> HomeView:
    context.look_up_people(person)
    return _view(context, person, offers=True)


def _view(context: Context, person: str, *, offers: bool) -> HomeView:
    asked = context.ledger.read((), ("asked",)).all(Grant)
    people = {each.resource: set[str]() for each in asked}
    for grant in asked:
        people[grant.resource].add(grant.person)

    def keys(catalog: Catalog) -> set[Key]:
        every = catalog.resources.values()
        needed = every if offers else [each for each in every if each.name in people]
        return {key for each in needed for key in fact_keys(each, person, *people.get(each.name, ()))}

    catalog, snap = context.read_basis(keys, (f"person:{person}", "asked"))
    everything = _standings(snap, catalog)
    decidable: list[Standing] = []  # with the digests of their terms
    for each in everything:
        grant, extension = each.grant, each.extension
        resource = catalog.resources.get(grant.resource)
        waits = grant.state is State.ASKED and not grant.undecided
        if grant.person == person or not resource or not (waits or (extension and each.live)):
            continue
        if any(vote.person == person for vote in (extension or grant).votes):
            continue
        if approver_objection(person, resource, catalog, facts_of(snap, resource), grant.person):
            continue
        with suppress(Refused):
            terms = terms_now(grant, resource, (catalog, snap), extension)
            decidable.append(replace(each, terms=terms))
    return HomeView(
        person=person,
        mine=tuple(each for each in everything if each.grant.person == person),
        waiting=tuple(decidable),
        offers=_offers(person, catalog, snap) if offers else (),
    )


def owe_home(context: Context, *, person: str) -> None:
    """Note that the person looked at the App Home: it is published now, and again whenever what it shows
    changes."""
    key = Key.of(Homepage, person)
    snap = context.ledger.read({key})
    context.ledger.commit(Change(ensure={key: Homepage(person=person)}, due=(Due.home(person, at=snap.now),)))


def owe_whisper(
    context: Context, *, channel: str, person: str, reason: Reason, op: str, terms_of: str | None = None
) -> None:
    """Owe a message to one person in a channel, where only they see it; with the terms and the buttons of the
    request or extension ``terms_of``, if that is given."""
    note = Note(id=context.new_id(), channel=channel, reason=reason, whisper_to=person, terms_of=terms_of)
    snap = context.ledger.read(())
    context.ledger.commit(replace(note_change(snap.now, note), op=f"{op}:whisper"))


def first_time(context: Context, *, op: str) -> bool:
    """Return whether this op has not been done before, and record that it is done now."""
    return not context.ledger.commit(Change(op=op)).again


def _standings(snap: Snapshot, catalog: Catalog) -> tuple[Standing, ...]:
    found = [standing(snap, catalog, grant) for grant in snap.all(Grant) if grant.open]
    return tuple(sorted(found, key=lambda each: (each.until is None, each.until or each.grant.asked_at)))


def _all_keys(catalog: Catalog, person: str) -> set[Key]:
    every = catalog.resources.values()
    return {key for each in every for key in fact_keys(each, person) | decider_keys(each, catalog)}


def _offers(person: str, catalog: Catalog, snap: Snapshot) -> tuple[Offer, ...]:
    found = []
    for resource in catalog.resources.values():
        facts = facts_of(snap, resource)
        if may_not_ask(person, resource, catalog, facts):
            continue
        who = facts.people.get(person)
        if objection(who, home=facts.home, domains=catalog.people.email_domains):
            continue
        ask = Ask(person=person, resource=resource, length=resource.lengths.min, reason="", any_reason=True)
        decision = decide(ask, catalog, replace(facts, holders=()))
        if decision.outcome not in (Outcome.APPROVE, Outcome.ASK):
            continue
        if taken := seat_objection(person, resource, facts):
            found.append(Offer(resource=resource, outcome=HELD, reason=taken))
        else:
            found.append(Offer(resource=resource, outcome=decision.outcome.value, reason=decision.reason))
    return tuple(found)
