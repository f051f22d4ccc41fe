"""Requests for access: approved by policy at once, put to approvers, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.catalog import Catalog, Resource
from bot.core.durations import UntilShiftEnds
from bot.core.errors import Refused, refuse
from bot.core.grants import GIVE_WITHIN, NOT_BEGUN, Cause, Grant, State, deny, lapse, withdraw
from bot.core.people import Person
from bot.core.policy import Ask, Decision, Outcome, decide, question_of, reason_unchecked
from bot.core.reasons import Reason, Why
from bot.ports.changes import Change, Claim, Done, Snapshot
from bot.ports.documents import Key
from bot.usecases.access.outcomes import done_here
from bot.usecases.context import (
    Basis,
    Context,
    commit_standing,
    decider_keys,
    fact_keys,
    facts_of,
    read_standing,
    standing,
    with_approvers,
)
from bot.usecases.requests.admit import holds_for, live_grant
from bot.usecases.requests.granting import PASSING, begin_ground, grant_outcome
from bot.usecases.requests.reasons_fit import AT_LEISURE, reason_fits
from bot.usecases.requests.visible import resource_for, sight_keys
from bot.usecases.requests.waiting import asked_grant, close_change, waiting
from bot.usecases.results import Asked
from bot.usecases.retry import earlier_answer, retry_conflicts
from bot.usecases.schedules.ownership import with_contest

FACTS_AGAIN = timedelta(seconds=5)
MOST_OPEN_ASKS = 20


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A request as a person makes it. ``length`` None: the resource's default. ``starts_at`` None: at
    once."""

    person: str
    resource: str
    length: int | UntilShiftEnds | None
    reason: str
    starts_at: datetime | None = None

    def question(self, resource: Resource, now: datetime) -> Ask:
        """Return what is to be decided. A start that has passed means at once."""
        if isinstance(self.length, UntilShiftEnds):
            length = None
        else:
            length = resource.lengths.default if self.length is None else self.length
        return Ask(
            person=self.person,
            resource=resource,
            length=length,
            reason=self.reason,
            reason_fits=reason_fits(resource.reason, self.reason),
            starts_at=self.starts_at if self.starts_at and self.starts_at > now else None,
        )


def ask(
    context: Context,
    *,
    person: str,
    resource: str,
    length: int | UntilShiftEnds | None,
    reason: str,
    op: str,
) -> Asked:
    """Request a resource from now on; see ``request``."""
    return request(context, Wish(person=person, resource=resource, length=length, reason=reason), op)


def request(context: Context, wish: Wish, op: str) -> Asked:
    """Request a resource. Raises Refused; or TemporaryFailure, and then nothing was recorded.

    If the very same request still waits, it is joined. One for the same start that waits on other terms is
    withdrawn for the new one. If the person has the resource already, other than by break-glass alone, the
    answer is the grant they have, and nothing is requested.
    """
    context.look_up_people(wish.person)
    wish = replace(wish, reason=" ".join(wish.reason.split()))
    done = context.once(op, "ask", wish.person, lambda: _request(context, wish, op))
    return Asked(standing=read_standing(context, done)) if isinstance(done, str) else done


def _request(context: Context, wish: Wish, op: str) -> Asked:
    person, name = wish.person, wish.resource
    basis = context.read_basis(lambda known: sight_keys(known, name, person), (f"person:{person}",))
    catalog, snap = basis
    resource = resource_for(context, person, name, basis)
    held = live_grant(person, resource, catalog, snap)
    if held and any(each.cause is not Cause.BREAK_GLASS for each in held.stands_on):
        receipt = context.ledger.commit(Change(op=op, answer=held.id))
        if receipt.again:  # the grant of this very request, or the one held before it
            first = read_standing(context, earlier_answer(receipt))
            return Asked(standing=first, joined=first.grant.reason != wish.reason)
        return Asked(standing=standing(snap, catalog, held), joined=True)

    question = wish.question(resource, snap.now)
    decision = _decision(context, question, basis)
    open_before = [
        each
        for each in snap.all(Grant)
        if (each.person, each.resource, each.starts_at) == (person, resource.name, question.starts_at)
        and each.state in NOT_BEGUN
        and not (each.lapses_at and each.lapses_at <= snap.now)
    ]
    for each in open_before:
        if (each.reason, each.length) == (question.reason, question.length):
            return Asked(standing=standing(snap, catalog, each), joined=True)
    if decision.outcome is Outcome.REFUSE:
        raise Refused(decision.reason)
    if sum(each.person == person and each.state is State.ASKED for each in snap.all(Grant)) >= MOST_OPEN_ASKS:
        raise refuse(Why.TOO_MANY_ASKS, most=MOST_OPEN_ASKS)

    grant, change = _first_change(context.new_id(), question, decision, basis)
    for before in (each for each in open_before if each.state is State.ASKED):
        change = change.plus(close_change(withdraw(before, now=snap.now), snap, "withdrawn", person))
    # The person is written unchanged, so that two requests of one person at the same moment collide.
    known = snap.find(Person, person)
    put = {**change.put, Key.of(Person, person): known} if known else change.put
    change = replace(change, op=op, answer=grant.id, put=put)
    return Asked(standing=commit_standing(context, change, grant, basis))


def _decision(context: Context, question: Ask, basis: Basis) -> Decision:
    """Return the decision. Before it puts the request to approvers, it checks that there are enough of
    them."""
    catalog, snap = basis
    facts = facts_of(snap, question.resource)
    decision = decide(question, catalog, facts)
    if decision.outcome is not Outcome.ASK:
        return decision
    return decide(question, catalog, with_approvers(context.ledger, question.resource, facts))


def _first_change(grant_id: str, ask: Ask, decision: Decision, basis: Basis) -> tuple[Grant, Change]:
    snap = basis[1]
    grant = asked_grant(grant_id, ask, decision, basis)
    if decision.outcome is Outcome.APPROVE and decision.ground:
        return grant_outcome(grant, decision.ground, ask.resource, basis)
    if decision.outcome is Outcome.ASK:
        holds_for(ask.person, ask.resource, *basis)  # raises Refused now, rather than once somebody approves
    return grant, waiting(grant, snap)


# ---------------------------------------------------------------------------------- owed to the worker


def tend(context: Context, claim: Claim) -> None:
    """Tend a request that waits (``ask:<id>``): decide it once the facts are there, let it lapse at its time,
    and begin at its start what was agreed."""

    def attempt() -> None:
        first = context.ledger.read({Key.of(Grant, claim.id)}).find(Grant, claim.id)
        if first is None or first.state not in NOT_BEGUN:
            context.ledger.commit(Change(done=Done(claim=claim)))
            return
        people = (first.person, *(vote.person for vote in first.votes))
        if first.undecided or first.state is State.WAITING:
            context.look_up_people(*people, again=first.state is State.WAITING)

        def keys(known: Catalog) -> set[Key]:
            resource = known.resources.get(first.resource)
            judged = fact_keys(resource, *people) | decider_keys(resource, known) if resource else set()
            return {Key.of(Grant, first.id), *judged}

        catalog, snap = context.read_basis(keys, (f"person:{first.person}",))
        grant = snap.find(Grant, first.id)
        if grant is None or grant.state not in NOT_BEGUN:
            change = Change(done=Done(claim=claim))
        elif grant.state is State.WAITING:
            change = _begin_change(grant, (catalog, snap), claim)
        elif grant.lapses_at and grant.lapses_at <= snap.now:
            change = close_change(lapse(grant, now=snap.now), snap, "lapsed", None, Done(claim=claim))
        elif grant.undecided:
            change = _decision_change(context, grant, (catalog, snap), claim)
        else:
            change = Change(done=Done(claim=claim, next_at=grant.lapses_at))
        context.ledger.commit(change)

    retry_conflicts(attempt)


def _decision_change(context: Context, grant: Grant, basis: Basis, claim: Claim) -> Change:
    """Return the change that the request leads to now that the facts may be there."""
    catalog, snap = basis
    try:
        resource = _resource_of(grant, catalog)
        fits = reason_fits(resource.reason, grant.reason, AT_LEISURE)
        question = question_of(grant, resource, reason_fits=fits)
        decision = _decision(context, question, basis)
        if decision.outcome is Outcome.NEED_FACTS:
            if unchecked := reason_unchecked(question):
                return _refusal_change(grant, unchecked, snap, claim)
            again = min(snap.now + FACTS_AGAIN, grant.lapses_at or snap.now + FACTS_AGAIN)
            return Change(done=Done(claim=claim, next_at=again))
        if decision.outcome is Outcome.REFUSE:
            return _refusal_change(grant, decision.reason, snap, claim)
        moved, change = _first_change(grant.id, question, decision, basis)
    except Refused as refused:
        return _refusal_change(grant, refused.reason, snap, claim)

    if moved.state is State.ASKED:
        change = waiting(moved, snap, "put to approvers")
    moved = replace(moved, asked_at=grant.asked_at)
    next_at = moved.starts_at if moved.state is State.WAITING else moved.lapses_at
    put = {**change.put, Key.of(Grant, grant.id): moved}
    done = Done(claim=claim, next_at=next_at if moved.state in NOT_BEGUN else None)
    return replace(done_here(change, claim), put=put, done=done)


def _resource_of(grant: Grant, catalog: Catalog) -> Resource:
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    return resource


def _refusal_change(grant: Grant, reason: Reason, snap: Snapshot, claim: Claim) -> Change:
    denied = deny(grant, person=None, now=snap.now, because_of=reason)
    return with_contest(close_change(denied, snap, "refused", None, Done(claim=claim)), reason, snap.now)


def _begin_change(grant: Grant, basis: Basis, claim: Claim) -> Change:
    """Return the change that begins what was agreed, or lets it lapse if anything it was agreed on no longer
    holds. Missing facts are awaited for as long as granting may take."""
    catalog, snap = basis
    start = grant.starts_at or snap.now
    if snap.now < start:
        return Change(done=Done(claim=claim, next_at=start))
    try:
        resource = _resource_of(grant, catalog)
        change = grant_outcome(grant, begin_ground(grant, resource, basis), resource, basis)[1]
    except Refused as refused:
        if refused.reason.why in PASSING and snap.now < start + GIVE_WITHIN:
            return Change(done=Done(claim=claim, next_at=snap.now + FACTS_AGAIN))
        lapsed = lapse(grant, now=snap.now, reason=refused.reason)
        return close_change(lapsed, snap, "lapsed", None, Done(claim=claim))
    return replace(done_here(change, claim), done=Done(claim=claim))
