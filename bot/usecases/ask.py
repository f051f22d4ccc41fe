"""Somebody asks for access: approved by policy at once, put to approvers, or refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core.catalog import Catalog, Resource
from bot.core.durations import UntilShiftEnds
from bot.core.errors import Refused, refuse
from bot.core.grants import Grant, Origin, State, deny, lapse
from bot.core.members import names_of
from bot.core.people import Person
from bot.core.policy import Ask, Decision, Outcome, decide
from bot.core.reasons import Why
from bot.ports import Change, Claim, Done, Due, Entry, Key, Snapshot
from bot.usecases.admit import Approval, admission, indexes
from bot.usecases.answers import Asked
from bot.usecases.office import Office, Scene, fact_keys, facts_of, settled, stand, standing

SAME_WITHIN = timedelta(minutes=10)
MOST_OPEN_ASKS = 20
MOST_DM_APPROVERS = 5


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
    catalog, snap = office.gather(lambda known: _keys(known, name, person), (f"person:{person}",))
    resource = named(catalog, name)
    wanted = _length(length, resource)
    question = Ask(person=person, resource=resource, length=wanted, reason=reason)
    same = _same(snap, question)
    if same:
        return Asked(standing=standing(snap, catalog, same), joined=True)
    decision = decide(question, catalog, facts_of(snap, resource))
    if decision.outcome is Outcome.REFUSE:
        raise Refused(decision.reason)
    _room(snap, person)
    grant, change = _written(office.new_id(), question, decision, (catalog, snap))
    receipt = office.ledger.commit(
        replace(change, op=op, answer=grant.id, put={**change.put, **_touched(snap, person)})
    )
    if receipt.again:
        return Asked(standing=stand(office, receipt.answer))
    return Asked(standing=replace(standing(snap, catalog, grant), until=grant.until))


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


def _same(snap: Snapshot, ask: Ask) -> Grant | None:
    for grant in snap.all(Grant):
        terms = (grant.person, grant.resource, grant.length, grant.reason)
        if terms != (ask.person, ask.resource.name, ask.length, ask.reason):
            continue
        recent = snap.now - grant.asked_at <= SAME_WITHIN
        if grant.state is State.ASKED or (recent and snap.live(grant)):
            return grant
    return None


def _room(snap: Snapshot, person: str) -> None:
    waiting = [g for g in snap.all(Grant) if g.person == person and g.state is State.ASKED]
    if len(waiting) >= MOST_OPEN_ASKS:
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
    return grant, waiting(grant, snap)


def asked_grant(grant_id: str, ask: Ask, decision: Decision, scene: Scene) -> Grant:
    """The grant at its beginning, ASKED, with whom it is put to."""
    catalog, snap = scene
    resource = ask.resource
    lapses = snap.now + timedelta(seconds=resource.lapse_after)
    asking = decision.outcome is Outcome.ASK
    return Grant(
        id=grant_id,
        person=ask.person,
        resource=resource.name,
        origin=Origin.ASKED,
        state=State.ASKED,
        asked_at=snap.now,
        length=decision.length if asking else ask.length,
        reason=ask.reason,
        policy=catalog.version,
        rule=decision.rule,
        trace=decision.trace,
        undecided=decision.outcome is Outcome.NEED_FACTS,
        lapses_at=lapses,
        approvals=resource.approvals,
        asked_in=resource.channel if asking else None,
        asked_people=_approvers(ask, snap) if asking else (),
    )


def _approvers(ask: Ask, snap: Snapshot) -> tuple[str, ...]:
    names = names_of(ask.resource.approvers, facts_of(snap, ask.resource))
    return tuple(name for name in names if name != ask.person)[:MOST_DM_APPROVERS]


def waiting(grant: Grant, snap: Snapshot) -> Change:
    """An ask that is not decided yet: its card, and the moment it is looked at again."""
    look_at = snap.now if grant.undecided else grant.lapses_at or snap.now
    due = [Due(member=f"ask:{grant.id}", at=look_at)]
    if not grant.undecided:
        due.append(Due(member=f"card:{grant.id}", at=snap.now))
    facts = {
        "person": grant.person,
        "resource": grant.resource,
        "seconds": grant.length,
        "reason": grant.reason,
        "policy": grant.policy,
    }
    return Change(
        rests_on=(snap,),
        put={Key.of(Grant, grant.id): grant},
        index={(name, grant.id): True for name in indexes(grant)},
        due=tuple(due),
        audit=(Entry(what="asked", grant=grant.id, by=grant.person, facts=facts),),
    )


# ---------------------------------------------------------------------------------- owed to the worker


def tend(office: Office, claim: Claim) -> None:
    """An ask that waits: decide it once the facts are there, and let it lapse at its time."""
    settled(lambda: _tend(office, claim))


def _tend(office: Office, claim: Claim) -> None:
    grant = office.ledger.read({Key.of(Grant, claim.id)}).find(Grant, claim.id)
    if grant is None or grant.state is not State.ASKED:
        office.ledger.commit(Change(done=Done(claim=claim)))
        return
    office.meet(grant.person)
    catalog, snap = office.gather(
        lambda known: {Key.of(Grant, grant.id), *_keys(known, grant.resource, grant.person)}
    )
    current = snap.find(Grant, grant.id)
    if current is None or current.state is not State.ASKED:
        office.ledger.commit(Change(done=Done(claim=claim)))
    elif current.lapses_at and current.lapses_at <= snap.now:
        office.ledger.commit(_lapsed(current, snap, claim))
    elif current.undecided and current.resource in catalog.resources:
        _decide_now(office, current, catalog, snap, claim)
    else:
        office.ledger.commit(Change(done=Done(claim=claim, next_at=current.lapses_at)))


def _lapsed(grant: Grant, snap: Snapshot, claim: Claim) -> Change:
    return closed(lapse(grant, now=snap.now), snap, "lapsed", None, Done(claim=claim))


def closed(grant: Grant, snap: Snapshot, what: str, by: str | None, done: Done | None = None) -> Change:
    """An ask that came to nothing: no longer open, its card made equal."""
    facts: dict[str, object] = {"person": grant.person, "resource": grant.resource}
    if grant.ended:
        facts["why"] = grant.ended.why.value
        facts.update(grant.ended.facts)
    return Change(
        rests_on=(snap,),
        put={Key.of(Grant, grant.id): grant},
        index={(name, grant.id): False for name in indexes(grant)},
        due=(Due(member=f"card:{grant.id}", at=snap.now),),
        audit=(Entry(what=what, grant=grant.id, by=by, facts=facts),),
        done=done,
    )


def _decide_now(office: Office, grant: Grant, catalog: Catalog, snap: Snapshot, claim: Claim) -> None:
    resource = catalog.resources[grant.resource]
    question = Ask(person=grant.person, resource=resource, length=grant.length, reason=grant.reason)
    decision = decide(question, catalog, facts_of(snap, resource))
    if decision.outcome is Outcome.NEED_FACTS:
        later = snap.now + timedelta(seconds=5)
        office.ledger.commit(Change(done=Done(claim=claim, next_at=min(later, grant.lapses_at or later))))
        return
    if decision.outcome is Outcome.REFUSE:
        refused = deny(grant, person=None, now=snap.now, because_of=decision.reason)
        office.ledger.commit(closed(refused, snap, "refused", None, Done(claim=claim)))
        return
    moved, change = _written(grant.id, question, decision, (catalog, snap))
    moved = replace(moved, asked_at=grant.asked_at)
    next_at = moved.lapses_at if moved.state is State.ASKED else None
    put = {**change.put, Key.of(Grant, grant.id): moved}
    due = tuple(each for each in change.due if each.member != claim.member)
    office.ledger.commit(replace(change, put=put, due=due, done=Done(claim=claim, next_at=next_at)))
