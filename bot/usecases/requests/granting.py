"""Outcomes of an approval: access now, access at a later start, or one more ground for access that is
there."""

from __future__ import annotations

from bot.core.catalog import Resource
from bot.core.errors import Refused, refuse
from bot.core.grants import Extension, Grant, Ground, Vote, add_to, agree
from bot.core.policy import (
    Outcome,
    approval_ground,
    decide,
    one_human,
    question_of,
    requester_objection,
    vote_objection,
)
from bot.core.reasons import Why
from bot.core.terms import terms_of
from bot.ports.changes import Change
from bot.usecases.context import Basis, facts_of
from bot.usecases.requests.admit import admission, ground_addition, holds_for, live_grant
from bot.usecases.requests.reasons_fit import reason_still_fits
from bot.usecases.requests.waiting import close_change, waiting

PASSING = frozenset(
    {
        Why.PERSON_UNKNOWN,
        Why.WORKSPACE_UNKNOWN,
        Why.GROUP_MISSING,
        Why.GROUP_STALE,
        Why.ROSTER_MISSING,
        Why.ROSTER_STALE,
        Why.ROSTER_DOUBTED,
    }
)
"""Refusals because of facts that may be there in a moment."""


def grant_outcome(grant: Grant, ground: Ground, resource: Resource, basis: Basis) -> tuple[Grant, Change]:
    """Return the request as it is after this yes, and what must be written. Raises Refused if the person has
    no account."""
    catalog, snap = basis
    if grant.starts_at and grant.starts_at > snap.now:
        agreed = agree(grant, rule=ground.rule)
        return agreed, waiting(agreed, snap, "agreed")
    held = live_grant(grant.person, resource, catalog, snap)
    if held is None:
        return admission(grant, ground, resource, catalog, snap)
    kept, change = ground_addition(held, ground, snap)
    added = add_to(grant, kept, now=snap.now)
    by = ground.approved_by[-1] if ground.approved_by else None
    return added, change.plus(close_change(added, snap, "added to what is held", by))


def terms_now(grant: Grant, resource: Resource, basis: Basis, extension: Extension | None = None) -> str:
    """Return the digest of what an approval would give today. Raises Refused if the person has no account."""
    catalog, snap = basis
    held = holds_for(grant.person, resource, catalog, snap)
    return terms_of(grant, held, resource.approvals, extension).digest


def votes_that_count(
    votes: tuple[Vote, ...], grant: Grant, resource: Resource, basis: Basis, terms: str
) -> tuple[Vote, ...]:
    """Return the votes that were given for these terms, by people who may still approve; of two Slack users
    who are one person only the first."""
    catalog, snap = basis
    facts = facts_of(snap, resource)
    found: list[Vote] = []
    for each in votes:
        if each.terms != terms or vote_objection(each.person, grant, resource, catalog, facts):
            continue
        if not any(one_human(each.person, other.person, catalog, facts) for other in found):
            found.append(each)
    return tuple(found)


def begin_ground(grant: Grant, resource: Resource, basis: Basis) -> Ground:
    """Return the ground on which an agreed request begins: requester, voters, terms and policy are judged
    again. Raises Refused if it would no longer be agreed to."""
    catalog, snap = basis
    fits = reason_still_fits(grant, resource, catalog)
    facts, question = facts_of(snap, resource), question_of(grant, resource, reason_fits=fits)
    if grant.votes:
        against = requester_objection(question, catalog, facts)
        if against:
            raise Refused(against)
        terms = terms_now(grant, resource, basis)
        for each in grant.votes:
            against = vote_objection(each.person, grant, resource, catalog, facts)
            if against and against.why in PASSING:  # it cannot be decided yet whether the vote counts
                raise Refused(against)
        votes = votes_that_count(grant.votes, grant, resource, basis, terms)
        if len(votes) < resource.approvals:
            raise refuse(Why.AGREEMENT_FELL, resource=resource.name)
        ground = approval_ground(question, tuple(each.person for each in votes), facts)
    else:
        decision = decide(question, catalog, facts)
        if decision.outcome is not Outcome.APPROVE or decision.ground is None:
            raise Refused(decision.trace[-1].reason if decision.trace else decision.reason)
        ground = decision.ground
    if ground.until <= snap.now:
        raise refuse(Why.BEGAN_TOO_LATE, resource=resource.name)
    return ground
