"""Asking for more time: a later end where policy says yes by itself, else a new ask to approvers."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from bot.core import grants
from bot.core.errors import Refused, refuse
from bot.core.grants import LIVE, Grant, Origin, State
from bot.core.policy import Ask, Decision, Outcome, ask_people, decide
from bot.core.reasons import Why
from bot.core.rightful import extended_end
from bot.ports import Change, Document, Due, Entry, Key, Lease, Seat, Snapshot
from bot.usecases.admit import Approval, admission
from bot.usecases.answers import Extended
from bot.usecases.attempts import earlier_answer
from bot.usecases.finish import chosen_of, meant
from bot.usecases.office import (
    Office,
    Scene,
    facts_of,
    grant_keys,
    stand,
    standing,
    standing_after,
    with_approvers,
)
from bot.usecases.waiting import asked_grant, waiting


def extend(office: Office, *, person: str, which: str | None, length: int | None, op: str) -> Extended:
    """Move the end later by ``length`` seconds (None: the resource's default), never beyond its longest
    length from now. Raises Refused."""
    office.meet(person)
    done = office.once(op, "extension", person, lambda: _extend(office, person, which, length, op))
    return Extended(standing=stand(office, done)) if isinstance(done, str) else done


def _extend(office: Office, person: str, which: str | None, length: int | None, op: str) -> Extended:
    scene, grant = _mine(office, person, which)
    catalog, snap = scene
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    end = snap.leases.get(grant.id)
    if end is None:
        raise refuse(Why.CANNOT_EXTEND_FURTHER, max_s=resource.lengths.max)
    wanted = resource.lengths.default if length is None else length
    question = Ask(
        person=person,
        resource=resource,
        length=min(wanted, resource.lengths.max),
        reason=grant.reason,
        any_reason=True,
    )
    facts = facts_of(snap, resource)
    decision = _not_refused(decide(question, catalog, facts))
    later = extended_end(end, wanted, resource.lengths, snap.now)
    if decision.outcome is Outcome.APPROVE:
        by_rule = min(later, decision.cap or later)
        if by_rule > end:
            change, moved = _prolonged(office, grant, replace(decision, until=by_rule), scene)
            return _committed(office, change, moved, scene, op, capped=_short_of(end, wanted, by_rule))
    if later <= end or not resource.approvers:
        raise refuse(Why.CANNOT_EXTEND_FURTHER, max_s=resource.lengths.max)
    facts = with_approvers(office.ledger, resource, facts)
    return _asked(office, grant, question, _not_refused(ask_people(question, catalog, facts)), scene, op)


def _not_refused(decision: Decision) -> Decision:
    if decision.outcome in (Outcome.REFUSE, Outcome.NEED_FACTS):
        raise Refused(decision.reason)
    return decision


def _short_of(end: datetime, wanted: int, until: datetime) -> bool:
    return (until - end).total_seconds() < wanted


def _mine(office: Office, person: str, which: str | None) -> tuple[Scene, Grant]:
    """The person's grant that is meant; of several of one resource, the one that ends last."""
    first = office.ledger.read(meant(which), (f"person:{person}",))
    mine = [g for g in first.all(Grant) if g.person == person and g.state in LIVE and first.live(g)]
    chosen = chosen_of(mine, which, person, first)
    unending = [g for g in chosen if first.leases[g.id] is None]
    grant = unending[0] if unending else max(chosen, key=lambda each: each.until or each.asked_at)
    catalog, snap = office.gather(lambda known: grant_keys(known, grant, person), (f"person:{person}",))
    current = snap.find(Grant, grant.id)
    if current is None or current.state not in LIVE or not snap.live(current):
        raise refuse(Why.GRANT_OVER, resource=grant.resource)
    return (catalog, snap), current


def _prolonged(office: Office, grant: Grant, decision: Decision, scene: Scene) -> tuple[Change, Grant]:
    """The same lease moved where the same rule lets it; by another rule, and for what a shift gave, a
    grant of its own behind the same hold, so that each lives exactly as long as its own reason."""
    catalog, snap = scene
    until = decision.until or snap.now
    same_rule = (decision.rule, decision.depends_on) == (grant.rule, grant.depends_on)
    if same_rule and grant.origin is Origin.ASKED:
        moved = grants.move_end(grant, until=until)
        return moved_lease(moved, until, snap, by=grant.person, what="extended"), moved
    resource = catalog.resources[grant.resource]
    length = math.ceil((until - snap.now).total_seconds())
    ask = Ask(person=grant.person, resource=resource, length=length, reason=grant.reason)
    new = replace(asked_grant(office.new_id(), ask, decision, scene), follows=grant.id)
    approval = Approval(rule=decision.rule, until=until, depends_on=decision.depends_on)
    moved, change = admission(new, approval, resource, catalog, snap)
    return change, moved


def _committed(
    office: Office, change: Change, moved: Grant, scene: Scene, op: str, *, capped: bool
) -> Extended:
    receipt = office.ledger.commit(replace(change, op=op, answer=moved.id))
    if receipt.again:
        return Extended(standing=stand(office, earlier_answer(receipt)))
    return Extended(standing=standing_after(change, moved, scene), capped=capped)


def moved_lease(moved: Grant, until: datetime, snap: Snapshot, *, by: str | None, what: str) -> Change:
    """Return the commit that moves a live grant's end. A grant that has ended in the meantime stays ended
    (Conflict). A full Redis still takes it if the end is not later than before."""
    put: dict[Key, Document | None] = {Key.of(Grant, moved.id): moved}
    seat = snap.find(Seat, moved.resource)
    if seat and seat.grant == moved.id:
        put[Key.of(Seat, moved.resource)] = replace(seat, until=until)
    due = [Due(member=f"hold:{hold.key}", at=min(until, snap.now)) for hold in moved.gives]
    end = snap.leases.get(moved.id)
    return Change(
        rests_on=(snap,),
        put=put,
        leases=(Lease(grant=moved.id, how="move", until=until),),
        due=(*due, Due(member=f"card:{moved.id}", at=snap.now)),
        audit=(
            Entry(
                what=what,
                grant=moved.id,
                by=by,
                facts={"person": moved.person, "resource": moved.resource, "until": until.isoformat()},
            ),
        ),
        frees=end is None or until <= end,
    )


def _asked(office: Office, grant: Grant, ask: Ask, decision: Decision, scene: Scene, op: str) -> Extended:
    catalog, snap = scene
    for other in snap.all(Grant):
        if other.follows == grant.id and other.state is State.ASKED:
            return Extended(standing=standing(snap, catalog, grant), ask=other)
    new = replace(asked_grant(office.new_id(), ask, decision, scene), follows=grant.id)
    change = waiting(new, snap)
    untouched = {Key.of(Grant, grant.id): grant}  # so that two extensions at one moment collide
    receipt = office.ledger.commit(replace(change, put={**change.put, **untouched}, op=op, answer=grant.id))
    if receipt.again:
        return Extended(standing=stand(office, earlier_answer(receipt)))
    return Extended(standing=standing(snap, catalog, grant), ask=new)
