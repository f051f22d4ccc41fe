"""Asking for more time: a later end where policy says yes by itself, else a new ask to approvers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core import grants
from bot.core.catalog import Catalog
from bot.core.errors import Refused, refuse
from bot.core.grants import LIVE, Grant, State
from bot.core.policy import Ask, Decision, Outcome, ask_people, decide
from bot.core.reasons import Why
from bot.core.rightful import extended_end
from bot.ports import Change, Document, Due, Entry, Key, Lease, Seat, Snapshot
from bot.usecases.admit import Approval, admission
from bot.usecases.answers import Extended
from bot.usecases.ask import asked_grant, waiting
from bot.usecases.finish import chosen_of
from bot.usecases.office import Office, Scene, fact_keys, facts_of, stand, standing


def extend(office: Office, *, person: str, which: str | None, length: int | None, op: str) -> Extended:
    """Move the end later by ``length`` seconds (None: the resource's default), never beyond its longest
    length from now. Raises Refused."""
    office.meet(person)
    done = office.once(op, "extension", person, lambda: _extend(office, person, which, length, op))
    return Extended(standing=stand(office, done)) if isinstance(done, str) else done


def _extend(office: Office, person: str, which: str | None, length: int | None, op: str) -> Extended:
    catalog, snap, grant = _mine(office, person, which)
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    end = snap.leases.get(grant.id)
    if end is None:
        raise refuse(Why.CANNOT_EXTEND_FURTHER, max_s=resource.lengths.max)
    wanted = length or resource.lengths.default
    question = Ask(
        person=person, resource=resource, length=min(wanted, resource.lengths.max), reason=grant.reason
    )
    facts = facts_of(snap, resource)
    decision = decide(question, catalog, facts)
    if decision.outcome is Outcome.REFUSE:
        raise Refused(decision.reason)
    later = min(
        extended_end(end, wanted, resource.lengths, snap.now),
        decision.cap or datetime.max.replace(tzinfo=UTC),
    )
    if later <= end and (decision.outcome is Outcome.ASK or not resource.approvers):
        raise refuse(Why.CANNOT_EXTEND_FURTHER, max_s=resource.lengths.max)
    if decision.outcome is Outcome.APPROVE and later > end:
        capped = later < end + timedelta(seconds=wanted)
        return _prolonged(office, grant, replace(decision, until=later), (catalog, snap), op, capped)
    return _asked(office, grant, question, ask_people(question, facts), (catalog, snap), op)


def _mine(office: Office, person: str, which: str | None) -> tuple[Catalog, Snapshot, Grant]:
    first = office.ledger.read((), (f"person:{person}",))
    chosen = chosen_of([g for g in first.all(Grant) if g.state in LIVE and first.live(g)], which)
    grant = max(chosen, key=lambda each: each.until or each.asked_at)
    catalog, snap = office.gather(
        lambda known: (
            {Key.of(Grant, grant.id)}
            | (
                fact_keys(known.resources[grant.resource], person)
                if grant.resource in known.resources
                else set()
            )
        ),
        (f"person:{person}",),
    )
    current = snap.find(Grant, grant.id)
    if current is None or current.state not in LIVE or not snap.live(current):
        raise refuse(Why.GRANT_OVER, resource=grant.resource)
    return catalog, snap, current


def _prolonged(
    office: Office, grant: Grant, decision: Decision, scene: Scene, op: str, capped: bool
) -> Extended:
    """The same lease moved where the same rule lets it; by another rule, a grant of its own behind the
    same hold, so that each lives exactly as long as its own reason."""
    catalog, snap = scene
    until = decision.until or snap.now
    if decision.rule == grant.rule:
        moved = grants.move_end(grant, until=until)
        change = moved_lease(moved, until, snap, by=grant.person, what="extended")
    else:
        resource = catalog.resources[grant.resource]
        length = max(int((until - snap.now).total_seconds()), 1)
        ask = Ask(person=grant.person, resource=resource, length=length, reason=grant.reason)
        new = replace(asked_grant(office.new_id(), ask, decision, scene), follows=grant.id)
        approval = Approval(rule=decision.rule, until=until, depends_on=decision.depends_on)
        moved, change = admission(new, approval, resource, catalog, snap)
    receipt = office.ledger.commit(replace(change, op=op, answer=moved.id))
    if receipt.again:
        return Extended(standing=stand(office, receipt.answer))
    return Extended(standing=replace(standing(snap, catalog, moved), until=until), capped=capped)


def moved_lease(moved: Grant, until: datetime, snap: Snapshot, *, by: str | None, what: str) -> Change:
    """The commit that moves a live grant's end; what has ended meanwhile stays ended (Conflict)."""
    put: dict[Key, Document | None] = {Key.of(Grant, moved.id): moved}
    seat = snap.find(Seat, moved.resource)
    if seat and seat.grant == moved.id:
        put[Key.of(Seat, moved.resource)] = replace(seat, until=until)
    due = [Due(member=f"hold:{hold.key}", at=min(until, snap.now)) for hold in moved.gives]
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
    )


def _asked(office: Office, grant: Grant, ask: Ask, decision: Decision, scene: Scene, op: str) -> Extended:
    catalog, snap = scene
    for other in snap.all(Grant):
        if other.follows == grant.id and other.state is State.ASKED:
            return Extended(standing=standing(snap, catalog, grant), ask=other)
    new = replace(asked_grant(office.new_id(), ask, decision, scene), follows=grant.id)
    receipt = office.ledger.commit(replace(waiting(new, snap), op=op, answer=grant.id))
    if receipt.again:
        return Extended(standing=stand(office, grant.id))
    return Extended(standing=standing(snap, catalog, grant), ask=new)
