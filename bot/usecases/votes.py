"""An approver decides: one click, judged by who clicked, today's policy and today's facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core import grants
from bot.core.catalog import Resource
from bot.core.errors import Conflict, Refused, refuse
from bot.core.grants import Grant, State
from bot.core.policy import requester_objection, vote_objection
from bot.core.reasons import Why, because
from bot.ports import Change, Due, Entry, Key, Snapshot
from bot.usecases.admit import Approval, admission
from bot.usecases.answers import Standing
from bot.usecases.attempts import earlier_answer
from bot.usecases.office import Office, Scene, facts_of, grant_keys, stand, standing_after
from bot.usecases.reasons_fit import reason_still_fits
from bot.usecases.visible import hidden_from, security_keys
from bot.usecases.waiting import closed


def approve(office: Office, *, person: str, grant: str, length: int | None, op: str) -> Standing:
    """One approval by ``person``; ``length`` in seconds shortens what is given. Raises Refused.

    Who asked and who votes is looked up at this moment. Where Slack does not answer that fast, what was
    known within a day counts, and the worker looks the requester up as soon as Slack answers: an outage of
    Slack's API must not keep people out, nor somebody in who is gone."""
    found = office.grant(grant)
    office.meet(found.person, person, *(vote.person for vote in found.votes), anew=True)
    done = office.once(op, "approval", person, lambda: _approve(office, person, grant, length, op))
    return stand(office, done) if isinstance(done, str) else done


def deny(office: Office, *, person: str, grant: str, why: str, op: str) -> Standing:
    """Turn an ask down, with a reason if one was given. Raises Refused."""
    office.meet(person, anew=True)
    done = office.once(op, "denial", person, lambda: _deny(office, person, grant, why, op))
    return stand(office, done) if isinstance(done, str) else done


def _approve(office: Office, person: str, grant_id: str, length: int | None, op: str) -> Standing:
    grant, resource, scene = _open(office, grant_id, person)
    catalog, snap = scene
    facts = facts_of(snap, resource)
    shorter = _shortened(grant, length, resource)
    fits = reason_still_fits(grant, resource, catalog)
    against = vote_objection(person, grant, resource, catalog, facts) or requester_objection(
        shorter, resource, catalog, facts, reason_fits=fits
    )
    if against:
        raise Refused(against)
    voted = grants.vote(shorter, person=person, now=snap.now)
    still_count = (
        vote for vote in voted.votes if not vote_objection(vote.person, grant, resource, catalog, facts)
    )
    voted = replace(voted, votes=tuple(still_count), approvals=resource.approvals)
    if len(voted.votes) < resource.approvals:
        change = _counted(voted, person, snap)
    else:
        voted, change = _admitted(voted, resource, scene)
    receipt = office.ledger.commit(replace(change, op=op, answer=grant_id))
    return stand(office, earlier_answer(receipt)) if receipt.again else standing_after(change, voted, scene)


def _shortened(grant: Grant, length: int | None, resource: Resource) -> Grant:
    """What the approver gives of what was asked for."""
    if length is None:
        return grant
    asked = grant.length if grant.length is not None else resource.lengths.max
    if length > asked:
        raise refuse(Why.SHORTER_ONLY, asked_s=asked)
    return replace(grant, length=max(length, 1))


def _counted(voted: Grant, person: str, snap: Snapshot) -> Change:
    facts = {"person": voted.person, "votes": len(voted.votes), "needed": voted.approvals}
    return Change(
        rests_on=(snap,),
        put={Key.of(Grant, voted.id): voted},
        due=(Due(member=f"card:{voted.id}", at=snap.now),),
        audit=(Entry(what="voted", grant=voted.id, by=person, facts=facts),),
    )


def _admitted(voted: Grant, resource: Resource, scene: Scene) -> tuple[Grant, Change]:
    """What prolongs another grant goes on from that one's end, if it is still live."""
    catalog, snap = scene
    longest = timedelta(seconds=resource.lengths.max)
    length = timedelta(seconds=voted.length) if voted.length is not None else longest
    before = snap.leases.get(voted.follows) if voted.follows else None
    until = min((before or snap.now) + length, snap.now + longest)
    return admission(voted, Approval(rule="approvers", until=until), resource, catalog, snap)


def _deny(office: Office, person: str, grant_id: str, why: str, op: str) -> Standing:
    grant, resource, scene = _open(office, grant_id, person)
    catalog, snap = scene
    against = vote_objection(person, grant, resource, catalog, facts_of(snap, resource))
    if against:
        raise Refused(against)
    said = because(Why.DENIED, said=why.strip()[:300]) if why.strip() else None
    denied = grants.deny(grant, person=person, now=snap.now, because_of=said)
    change = replace(closed(denied, snap, "denied", person), op=op, answer=grant_id)
    receipt = office.ledger.commit(change)
    return stand(office, earlier_answer(receipt)) if receipt.again else standing_after(change, denied, scene)


def _open(office: Office, grant_id: str, person: str) -> tuple[Grant, Resource, Scene]:
    """The ask with all that judging it needs. Raises Refused where it is decided or over already."""
    first = office.grant(grant_id)
    people = (person, first.person, *(vote.person for vote in first.votes))
    catalog, snap = office.gather(lambda known: grant_keys(known, first, *people) | security_keys(known))
    grant = snap.find(Grant, grant_id)
    if grant is None:
        raise refuse(Why.GRANT_UNKNOWN, grant=grant_id[:40])
    resource = catalog.resources.get(grant.resource)
    if resource and grant.person != person and hidden_from(person, resource, catalog, snap):
        raise refuse(Why.GRANT_UNKNOWN, grant=grant_id[:40])
    if {vote.person for vote in grant.votes} - set(people):
        raise Conflict("somebody has voted meanwhile, of whom nothing was read")
    if grant.state is not State.ASKED:
        raise refuse(Why.DECIDED_ALREADY, state=grant.state.value, **grants.decided_by(grant))
    if grant.lapses_at and grant.lapses_at <= snap.now:
        raise refuse(Why.ASK_LAPSED)
    if grant.undecided:
        raise refuse(Why.APPROVER_UNCLEAR)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    return grant, resource, (catalog, snap)
