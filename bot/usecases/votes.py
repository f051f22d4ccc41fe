"""An approver decides: one click, judged by who clicked, today's policy and today's facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core import grants
from bot.core.catalog import Catalog, Resource
from bot.core.errors import Refused, refuse
from bot.core.grants import Grant, State
from bot.core.members import Facts
from bot.core.policy import requester_objection, vote_objection
from bot.core.reasons import Why, because
from bot.ports import Change, Due, Entry, Key, Snapshot
from bot.usecases.admit import Approval, admission
from bot.usecases.answers import Standing
from bot.usecases.ask import closed
from bot.usecases.office import Office, fact_keys, facts_of, stand, standing


def approve(office: Office, *, person: str, grant: str, length: int | None, op: str) -> Standing:
    """One approval by ``person``; ``length`` in seconds shortens what is given. Raises Refused."""
    found = office.grant(grant)
    office.meet(person, found.person)
    done = office.once(op, "approval", person, lambda: _approve(office, person, grant, length, op))
    return stand(office, done) if isinstance(done, str) else done


def deny(office: Office, *, person: str, grant: str, why: str, op: str) -> Standing:
    """Turn an ask down, with a reason if one was given. Raises Refused."""
    office.meet(person)
    done = office.once(op, "denial", person, lambda: _deny(office, person, grant, why, op))
    return stand(office, done) if isinstance(done, str) else done


def _approve(office: Office, person: str, grant_id: str, length: int | None, op: str) -> Standing:
    grant, resource, catalog, snap = _open(office, grant_id, person)
    facts = facts_of(snap, resource)
    _judge(person, grant, resource, catalog, facts)
    voted = _shortened(grants.vote(grant, person=person, now=snap.now), length)
    standing_votes = tuple(
        vote for vote in voted.votes if not vote_objection(vote.person, grant, resource, catalog, facts)
    )
    voted = replace(voted, votes=standing_votes, approvals=resource.approvals)
    if len(voted.votes) < resource.approvals:
        change = _counted(voted, person, snap)
    else:
        voted, change = _admitted(voted, resource, catalog, snap)
    receipt = office.ledger.commit(replace(change, op=op, answer=grant_id))
    if receipt.again:
        return stand(office, grant_id)
    return replace(standing(snap, catalog, voted), until=voted.until)


def _judge(person: str, grant: Grant, resource: Resource, catalog: Catalog, facts: Facts) -> None:
    against = vote_objection(person, grant, resource, catalog, facts) or requester_objection(
        grant, resource, catalog, facts
    )
    if against:
        raise Refused(against)


def _shortened(grant: Grant, length: int | None) -> Grant:
    if length is None:
        return grant
    if grant.length is not None and length > grant.length:
        raise refuse(Why.SHORTER_ONLY, asked_s=grant.length)
    return replace(grant, length=max(length, 1))


def _counted(voted: Grant, person: str, snap: Snapshot) -> Change:
    facts = {"person": voted.person, "votes": len(voted.votes), "needed": voted.approvals}
    return Change(
        rests_on=(snap,),
        put={Key.of(Grant, voted.id): voted},
        due=(Due(member=f"card:{voted.id}", at=snap.now),),
        audit=(Entry(what="voted", grant=voted.id, by=person, facts=facts),),
    )


def _admitted(voted: Grant, resource: Resource, catalog: Catalog, snap: Snapshot) -> tuple[Grant, Change]:
    length = min(voted.length or resource.lengths.default, resource.lengths.max)
    base = snap.now
    if voted.follows:
        before = snap.leases.get(voted.follows)
        base = max(before, snap.now) if before else snap.now
    until = min(base + timedelta(seconds=length), snap.now + timedelta(seconds=resource.lengths.max))
    return admission(voted, Approval(rule="approvers", until=until), resource, catalog, snap)


def _deny(office: Office, person: str, grant_id: str, why: str, op: str) -> Standing:
    grant, resource, catalog, snap = _open(office, grant_id, person)
    against = vote_objection(person, grant, resource, catalog, facts_of(snap, resource))
    if against:
        raise Refused(against)
    said = because(Why.DENIED, said=why.strip()[:300]) if why.strip() else None
    denied = grants.deny(grant, person=person, now=snap.now, because_of=said)
    receipt = office.ledger.commit(replace(closed(denied, snap, "denied", person), op=op, answer=grant_id))
    return stand(office, grant_id) if receipt.again else standing(snap, catalog, denied)


def _open(office: Office, grant_id: str, person: str) -> tuple[Grant, Resource, Catalog, Snapshot]:
    """The ask with all that judging it needs. Raises Refused where it is decided or over already."""
    first = office.grant(grant_id)
    people = (person, first.person, *(vote.person for vote in first.votes))
    catalog, snap = office.gather(lambda known: _keys(known, first, people))
    grant = snap.find(Grant, grant_id)
    if grant is None:
        raise refuse(Why.GRANT_UNKNOWN, grant=grant_id[:40])
    if grant.state is not State.ASKED:
        raise refuse(Why.DECIDED_ALREADY, state=grant.state.value, **grants.decided_by(grant))
    if grant.undecided:
        raise refuse(Why.WORKSPACE_UNKNOWN)
    if grant.lapses_at and grant.lapses_at <= snap.now:
        raise refuse(Why.ASK_LAPSED)
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    return grant, resource, catalog, snap


def _keys(catalog: Catalog, grant: Grant, people: tuple[str, ...]) -> set[Key]:
    keys = {Key.of(Grant, grant.id)}
    if grant.follows:
        keys.add(Key.of(Grant, grant.follows))
    resource = catalog.resources.get(grant.resource)
    return keys | fact_keys(resource, *people) if resource else keys
