"""Requests that wait: whom they are put to, until when, and how they are closed."""

from __future__ import annotations

from datetime import timedelta

from bot.core.catalog import Resource
from bot.core.grants import Grant, Origin, State, Traced
from bot.core.members import names_of
from bot.core.policy import Ask, Decision, Outcome, approvers_of, channel_of
from bot.ports.changes import Change, Done, Due, Entry, Snapshot
from bot.ports.documents import Key
from bot.usecases.context import Basis, facts_of
from bot.usecases.requests.admit import PEOPLE_EVERY, indexes

MOST_DM_APPROVERS = 5


def asked_grant(grant_id: str, ask: Ask, decision: Decision, basis: Basis) -> Grant:
    """Return the grant at its beginning, ASKED, with the people it is put to."""
    catalog, snap = basis
    resource = ask.resource
    asking = decision.outcome is Outcome.ASK
    return Grant(
        id=grant_id,
        person=ask.person,
        resource=resource.name,
        origin=Origin.ASKED,
        state=State.ASKED,
        asked_at=snap.now,
        length=ask.length,
        starts_at=ask.starts_at,
        reason=ask.reason,
        policy=catalog.version,
        rule=decision.rule,
        trace=decision.trace,
        undecided=decision.outcome is Outcome.NEED_FACTS,
        lapses_at=snap.now + timedelta(seconds=resource.lapse_after),
        approvals=resource.approvals,
        asked_in=channel_of(resource, catalog) if asking else None,
        asked_people=asked_people(resource, ask.person, basis) if asking else (),
    )


def unrequested_grant(
    grant_id: str, person: str, resource: Resource, origin: Origin, why: Traced, basis: Basis
) -> Grant:
    """Return a grant at its beginning that nobody requested; ``why`` is its only trace."""
    catalog, snap = basis
    return Grant(
        id=grant_id,
        person=person,
        resource=resource.name,
        origin=origin,
        state=State.ASKED,
        asked_at=snap.now,
        length=None,
        reason="",
        policy=catalog.version,
        trace=(why,),
    )


def waiting(grant: Grant, snap: Snapshot, what: str = "asked") -> Change:
    """Return what must be written for a request that is not decided yet, or has not begun: it is open, its
    card is due, and so is the next look at it."""
    begins = grant.starts_at if grant.state is State.WAITING else None
    look_at = snap.now if grant.undecided else begins or grant.lapses_at or snap.now
    due = [
        Due.ask(grant.id, at=look_at),
        Due.people(grant.person, at=snap.now + PEOPLE_EVERY),
    ]
    if not grant.undecided:
        due.append(Due.card(grant.id, at=snap.now))
    facts = {
        "person": grant.person,
        "resource": grant.resource,
        "seconds": grant.length,
        "starts_at": grant.starts_at.isoformat() if grant.starts_at else None,
        "reason": grant.reason,
        "policy": grant.policy,
    }
    return Change(
        rests_on=(snap,),
        put={Key.of(Grant, grant.id): grant},
        index={("asked", grant.id): False} | {(name, grant.id): True for name in indexes(grant)},
        due=tuple(due),
        audit=(Entry(what=what, grant=grant.id, by=grant.person, facts=facts),),
    )


def close_change(grant: Grant, snap: Snapshot, what: str, by: str | None, done: Done | None = None) -> Change:
    """Return what must be written for a request that is over: it is no longer open, and its card is due."""
    facts: dict[str, object] = {"person": grant.person, "resource": grant.resource}
    if grant.ended:
        facts["why"] = grant.ended.why.value
        facts.update(grant.ended.facts)
    return Change(
        rests_on=(snap,),
        put={Key.of(Grant, grant.id): grant},
        index={(name, grant.id): False for name in (*indexes(grant), "asked")},
        due=(Due.card(grant.id, at=snap.now),),
        audit=(Entry(what=what, grant=grant.id, by=by, facts=facts),),
        done=done,
    )


def asked_people(resource: Resource, person: str, basis: Basis) -> tuple[str, ...]:
    """Return the approvers who are asked in direct messages, if there is no channel."""
    catalog, snap = basis
    facts = facts_of(snap, resource)
    names = names_of(approvers_of(resource, catalog, facts, person), facts)
    return tuple(name for name in names if name != person)[:MOST_DM_APPROVERS]
