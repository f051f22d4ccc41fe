"""Extensions: a later end of a live grant, at once if policy approves it automatically, otherwise by a
request to approvers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.core import grants
from bot.core.catalog import OnCall, Resource
from bot.core.durations import UntilShiftEnds
from bot.core.errors import Refused, refuse
from bot.core.grants import LIVE, Extension, Grant
from bot.core.policy import Ask, Decision, Outcome, ask_people, decide, known_shift, question_of
from bot.core.reasons import Why
from bot.core.rightful import extended_end
from bot.core.shifts import Shift
from bot.ports.changes import Change, Due, Entry
from bot.ports.documents import Key
from bot.usecases.context import (
    Basis,
    Context,
    facts_of,
    grant_keys,
    read_standing,
    standing,
    standing_after,
    with_approvers,
)
from bot.usecases.requests.admit import gives_the_same, ground_addition
from bot.usecases.requests.finish import chosen_of, named_grant_keys
from bot.usecases.requests.waiting import asked_people
from bot.usecases.results import Extended
from bot.usecases.retry import earlier_answer


def extend(
    context: Context, *, person: str, which: str | None, length: int | UntilShiftEnds | None, op: str
) -> Extended:
    """Move the end later by ``length`` seconds (None: the resource's default), or to the end of the shift,
    never beyond its longest length from now. Raises Refused; also if the resource no longer gives exactly
    what the grant holds."""
    context.look_up_people(person)
    done = context.once(op, "extension", person, lambda: _extend(context, person, which, length, op))
    return Extended(standing=read_standing(context, done)) if isinstance(done, str) else done


def _extend(
    context: Context, person: str, which: str | None, length: int | UntilShiftEnds | None, op: str
) -> Extended:
    basis, grant = _mine(context, person, which)
    catalog, snap = basis
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    if not gives_the_same(grant, resource, catalog, snap):
        raise refuse(Why.GIVES_OTHER, resource=resource.name)
    end = snap.leases.get(grant.id)
    if end is None:
        raise refuse(Why.CANNOT_EXTEND_FURTHER, max_s=resource.lengths.max)
    facts = facts_of(snap, resource)
    shift = known_shift(person, resource, facts) if isinstance(length, UntilShiftEnds) else None
    extension = _extension(grant, resource, length, shift, end, basis)
    question = question_of(grant, resource, extension)
    decision = _raise_if_refused(decide(question, catalog, facts))
    if decision.outcome is Outcome.APPROVE and decision.ground and decision.ground.until > end:
        moved, change = ground_addition(grant, decision.ground, snap, by=person)
        receipt = context.ledger.commit(replace(change, op=op, answer=grant.id))
        if receipt.again:
            return Extended(standing=read_standing(context, earlier_answer(receipt)))
        capped = False
        if not isinstance(length, UntilShiftEnds):
            wanted = resource.lengths.default if length is None else length
            capped = (decision.ground.until - end).total_seconds() < wanted
        return Extended(standing=standing_after(change, moved, basis), capped=capped)
    if extension.until <= end or not resource.approvers:
        raise refuse(Why.CANNOT_EXTEND_FURTHER, max_s=resource.lengths.max)
    return _request_extension(context, grant, extension, question, basis, op)


def _extension(
    grant: Grant,
    resource: Resource,
    length: int | UntilShiftEnds | None,
    shift: tuple[OnCall, Shift] | None,
    end: datetime,
    basis: Basis,
) -> Extension:
    """Return the extension as requested. Raises Refused if it is to end with a shift and there is none."""
    catalog, snap = basis
    longest = snap.now + timedelta(seconds=resource.lengths.max)
    if not isinstance(length, UntilShiftEnds):
        wanted = resource.lengths.default if length is None else length
        until = extended_end(end, wanted, resource.lengths, snap.now)
    elif shift is None:
        lengths = resource.lengths
        raise refuse(Why.NO_SHIFT_TO_END, resource=resource.name, min_s=lengths.min, max_s=lengths.max)
    else:
        until = min(shift[1].end or longest, longest)
    return Extension(
        id=f"{grant.id}-{len(grant.extension_ids) + 1}",
        asked_at=snap.now,
        until=until,
        policy=catalog.version,
        ends_with=shift[0] if shift else None,
    )


def _raise_if_refused(decision: Decision) -> Decision:
    if decision.outcome in (Outcome.REFUSE, Outcome.NEED_FACTS):
        raise Refused(decision.reason)
    return decision


def _mine(context: Context, person: str, which: str | None) -> tuple[Basis, Grant]:
    """Return the person's grant that is meant; if there are several of one resource, the one that ends last.
    Raises Refused."""
    known, first = context.read_basis(lambda _: named_grant_keys(which), (f"person:{person}",))
    mine = [g for g in first.all(Grant) if g.person == person and g.state in LIVE and first.live(g)]
    chosen = chosen_of(mine, which, person, (known, first))
    unending = [g for g in chosen if first.leases[g.id] is None]
    grant = unending[0] if unending else max(chosen, key=lambda each: each.until or each.asked_at)
    catalog, snap = context.read_basis(lambda known: grant_keys(known, grant, person), (f"person:{person}",))
    current = snap.find(Grant, grant.id)
    if current is None or current.state not in LIVE or not snap.live(current):
        raise refuse(Why.GRANT_OVER, resource=grant.resource)
    return (catalog, snap), current


def _request_extension(
    context: Context, grant: Grant, extension: Extension, question: Ask, basis: Basis, op: str
) -> Extended:
    """Put the extension to approvers. It replaces one that already waits, unless that is the same."""
    catalog, snap = basis
    resource, before = question.resource, grant.extension
    known = with_approvers(context.ledger, resource, facts_of(snap, resource))
    decision = _raise_if_refused(ask_people(question, catalog, known))
    if before and (before.until, before.ends_with) == (extension.until, extension.ends_with):
        return Extended(standing=standing(snap, catalog, grant), asked=before)
    extension = replace(
        extension,
        trace=decision.trace,
        approvals=resource.approvals,
        asked_in=resource.channel,
        asked_people=asked_people(resource, grant.person, basis),
    )
    moved = grants.request_extension(grant, extension)
    cards = [grant.id, extension.id, *([before.id] if before else [])]
    facts = {
        "person": grant.person,
        "resource": grant.resource,
        "extension": extension.id,
        "until": extension.until.isoformat(),
        "policy": extension.policy,
    }
    change = Change(
        rests_on=(snap,),
        needs=(grant.id,),
        put={Key.of(Grant, grant.id): moved},
        index={("asked", grant.id): True},
        due=tuple(Due.card(each, at=snap.now) for each in cards),
        audit=(Entry(what="extension requested", grant=grant.id, by=grant.person, facts=facts),),
        op=op,
        answer=grant.id,
    )
    receipt = context.ledger.commit(change)
    if receipt.again:
        return Extended(standing=read_standing(context, earlier_answer(receipt)))
    return Extended(standing=standing_after(change, moved, basis), asked=extension)
