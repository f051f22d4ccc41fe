"""Somebody asks for access: approved by policy at once, put to approvers, or refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core.catalog import Catalog, Resource
from bot.core.durations import UntilShiftEnds
from bot.core.errors import Refused, refuse
from bot.core.grants import Grant, State, deny, lapse
from bot.core.people import Person
from bot.core.policy import Ask, Decision, Outcome, decide
from bot.core.reasons import Reason, Why
from bot.ports import Change, Claim, Done, Key, Snapshot
from bot.usecases.admit import Approval, admission, holds_for
from bot.usecases.answers import Asked
from bot.usecases.attempts import earlier_answer, settled
from bot.usecases.office import (
    Office,
    Scene,
    fact_keys,
    facts_of,
    stand,
    standing,
    standing_after,
    with_approvers,
)
from bot.usecases.ownership import with_contest
from bot.usecases.waiting import asked_grant, closed, waiting

SAME_WITHIN = timedelta(minutes=10)
FACTS_AGAIN = timedelta(seconds=5)
MOST_OPEN_ASKS = 20


def ask(
    office: Office,
    *,
    person: str,
    resource: str,
    length: int | UntilShiftEnds | None,
    reason: str,
    op: str,
) -> Asked:
    """``length`` None: the resource's default. Raises Refused; TemporaryFailure: nothing was recorded.

    The very same ask, still waiting or typed again within ten minutes, is joined.
    """
    office.meet(person)
    done = office.once(
        op, "ask", person, lambda: _ask(office, person, resource, length, " ".join(reason.split()), op)
    )
    return Asked(standing=stand(office, done)) if isinstance(done, str) else done


def _ask(
    office: Office,
    person: str,
    name: str,
    length: int | UntilShiftEnds | None,
    reason: str,
    op: str,
) -> Asked:
    scene = office.gather(lambda known: _keys(known, name, person), (f"person:{person}",))
    catalog, snap = scene
    resource = named(catalog, name)
    wanted = _length(length, resource)
    question = Ask(person=person, resource=resource, length=wanted, reason=reason)
    decision = _decision(office, question, scene)
    same = _same(snap, question, decision)
    if same:
        return Asked(standing=standing(snap, catalog, same), joined=True)
    if decision.outcome is Outcome.REFUSE:
        raise Refused(decision.reason)
    _room(snap, person)
    grant, change = _written(office.new_id(), question, decision, scene)
    receipt = office.ledger.commit(
        replace(change, op=op, answer=grant.id, put={**change.put, **_touched(snap, person)})
    )
    if receipt.again:
        return Asked(standing=stand(office, earlier_answer(receipt)))
    return Asked(standing=standing_after(change, grant, scene))


def _decision(office: Office, question: Ask, scene: Scene) -> Decision:
    """Before approvers are asked, it is looked at whether there are enough of them."""
    catalog, snap = scene
    facts = facts_of(snap, question.resource)
    decision = decide(question, catalog, facts)
    if decision.outcome is not Outcome.ASK:
        return decision
    return decide(question, catalog, with_approvers(office.ledger, question.resource, facts))


def _keys(catalog: Catalog, name: str, person: str) -> set[Key]:
    resource = catalog.resources.get(name)
    return fact_keys(resource, person) if resource else set()


def named(catalog: Catalog, name: str) -> Resource:
    resource = catalog.resources.get(name)
    if resource is None:
        known = ", ".join(sorted(catalog.resources)[:200])
        raise refuse(Why.RESOURCE_UNKNOWN, name=name[:80], known=known)
    return resource


def _length(length: int | UntilShiftEnds | None, resource: Resource) -> int | None:
    if isinstance(length, UntilShiftEnds):
        return None
    return resource.lengths.default if length is None else length


def _same(snap: Snapshot, ask: Ask, decision: Decision) -> Grant | None:
    terms = (ask.person, ask.resource.name, ask.reason)
    for grant in snap.all(Grant):
        if (grant.person, grant.resource, grant.reason) != terms or not _as_long(grant, ask, decision, snap):
            continue
        waits = grant.state is State.ASKED and not (grant.lapses_at and grant.lapses_at <= snap.now)
        recent = snap.now - grant.asked_at <= SAME_WITHIN
        if waits or (recent and snap.live(grant)):
            return grant
    return None


def _as_long(grant: Grant, ask: Ask, decision: Decision, snap: Snapshot) -> bool:
    """*Until the shift ends* is put to approvers in seconds, so there it is the end that is the same."""
    if grant.length == ask.length:
        return True
    if ask.length is not None or grant.length is None or decision.length is None:
        return False
    apart = (grant.asked_at - snap.now).total_seconds() + grant.length - decision.length
    return grant.length == decision.length or abs(apart) <= 1


def _room(snap: Snapshot, person: str) -> None:
    waits = [g for g in snap.all(Grant) if g.person == person and g.state is State.ASKED]
    if len(waits) >= MOST_OPEN_ASKS:
        raise refuse(Why.TOO_MANY_ASKS, most=MOST_OPEN_ASKS)


def _touched(snap: Snapshot, person: str) -> dict[Key, Person]:
    """Writing the person again makes two asks of one person at the same moment collide."""
    known = snap.find(Person, person)
    return {Key.of(Person, person): known} if known else {}


def _written(grant_id: str, ask: Ask, decision: Decision, scene: Scene) -> tuple[Grant, Change]:
    catalog, snap = scene
    grant = asked_grant(grant_id, ask, decision, scene)
    if decision.outcome is Outcome.APPROVE and decision.until:
        approval = Approval(rule=decision.rule, until=decision.until, depends_on=decision.depends_on)
        return admission(grant, approval, ask.resource, catalog, snap)
    if decision.outcome is Outcome.ASK:
        holds_for(ask.person, ask.resource, catalog, snap)  # refused now, and not once somebody approves
    return grant, waiting(grant, snap)


# ---------------------------------------------------------------------------------- owed to the worker


def tend(office: Office, claim: Claim) -> None:
    """An ask that waits: decide it once the facts are there, and let it lapse at its time."""
    settled(lambda: _tend(office, claim))


def _tend(office: Office, claim: Claim) -> None:
    first = office.ledger.read({Key.of(Grant, claim.id)}).find(Grant, claim.id)
    if first is None or first.state is not State.ASKED:
        office.ledger.commit(Change(done=Done(claim=claim)))
        return
    if first.undecided:
        office.meet(first.person)
    catalog, snap = office.gather(
        lambda known: {Key.of(Grant, first.id), *_keys(known, first.resource, first.person)}
    )
    grant = snap.find(Grant, first.id)
    if grant is None or grant.state is not State.ASKED:
        change = Change(done=Done(claim=claim))
    elif grant.lapses_at and grant.lapses_at <= snap.now:
        change = closed(lapse(grant, now=snap.now), snap, "lapsed", None, Done(claim=claim))
    elif grant.undecided:
        change = _decided(office, grant, (catalog, snap), claim)
    else:
        change = Change(done=Done(claim=claim, next_at=grant.lapses_at))
    office.ledger.commit(change)


def _decided(office: Office, grant: Grant, scene: Scene, claim: Claim) -> Change:
    """What the ask comes to now that the facts may be there."""
    catalog, snap = scene
    try:
        resource = named(catalog, grant.resource)
        question = Ask(person=grant.person, resource=resource, length=grant.length, reason=grant.reason)
        decision = _decision(office, question, scene)
        if decision.outcome is Outcome.NEED_FACTS:
            again = min(snap.now + FACTS_AGAIN, grant.lapses_at or snap.now + FACTS_AGAIN)
            return Change(done=Done(claim=claim, next_at=again))
        if decision.outcome is Outcome.REFUSE:
            return _refused(grant, decision.reason, snap, claim)
        return _admitted_late(grant, question, decision, scene, claim)
    except Refused as refused:
        return _refused(grant, refused.reason, snap, claim)


def _refused(grant: Grant, reason: Reason, snap: Snapshot, claim: Claim) -> Change:
    denied = deny(grant, person=None, now=snap.now, because_of=reason)
    return with_contest(closed(denied, snap, "refused", None, Done(claim=claim)), reason, snap.now)


def _admitted_late(grant: Grant, question: Ask, decision: Decision, scene: Scene, claim: Claim) -> Change:
    moved, change = _written(grant.id, question, decision, scene)
    if moved.state is State.ASKED:
        change = waiting(moved, scene[1], "put to approvers")
    moved = replace(moved, asked_at=grant.asked_at)
    due = tuple(each for each in change.due if each.member != claim.member)
    next_at = moved.lapses_at if moved.state is State.ASKED else None
    put = {**change.put, Key.of(Grant, grant.id): moved}
    return replace(change, put=put, due=due, done=Done(claim=claim, next_at=next_at))
