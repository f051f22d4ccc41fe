"""Ending access early: given back by its holder, or revoked by an approver. An ask is withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce

from bot.core import grants
from bot.core.catalog import OnCall
from bot.core.errors import Refused, TemporaryFailure, refuse
from bot.core.grants import LIVE, Grant, Origin, State
from bot.core.policy import approver_objection
from bot.core.reasons import Reason, Why, because
from bot.ports import Change, Document, Due, Entry, Key, Lease, ShiftGrant, Snapshot
from bot.usecases.admit import indexes
from bot.usecases.answers import Standing
from bot.usecases.ask import named
from bot.usecases.attempts import earlier_answer
from bot.usecases.office import Office, Scene, fact_keys, facts_of, stand, standing_after


def give_back(office: Office, *, person: str, which: str | None, op: str) -> Standing:
    """End what ``person`` holds or waits for: all of a resource, one grant by id, or the only one.

    Raises Refused where there is nothing, or several and none was named.
    """
    done = office.once(op, "give back", person, lambda: _give_back(office, person, which, op))
    return _wait_for_copies(office, stand(office, done) if isinstance(done, str) else done)


def revoke(office: Office, *, by: str, person: str, resource: str, why: str, op: str) -> Standing:
    """End all that ``person`` holds or waits for of the resource; its approvers may, and nobody else
    but the person. Raises Refused."""
    office.meet(by)
    done = office.once(op, "revoke", by, lambda: _revoke(office, by, person, resource, why, op))
    return _wait_for_copies(office, stand(office, done) if isinstance(done, str) else done)


def _wait_for_copies(office: Office, done: Standing) -> Standing:
    """Wait up to a second for replicas, because the answer says whether they have it. Ending itself waits for
    none."""
    try:
        return replace(done, copied=office.ledger.wait_for_copies())
    except TemporaryFailure:
        return replace(done, copied=False)


def _give_back(office: Office, person: str, which: str | None, op: str) -> Standing:
    catalog, snap = office.gather(lambda _: meant(which), (f"person:{person}",))
    mine = [grant for grant in snap.all(Grant) if grant.person == person and _endable(grant)]
    chosen = chosen_of(mine, which, person, snap)
    return _finished(office, chosen, (catalog, snap), op, person, because(Why.GIVEN_BACK))


def meant(which: str | None) -> set[Key]:
    """What has to be read to say why the grant of that id, if it is one, cannot be meant."""
    return {Key.of(Grant, which)} if which else set()


def chosen_of(mine: list[Grant], which: str | None, person: str, snap: Snapshot) -> list[Grant]:
    """The grants meant by a name, an id, or by there being only one. Raises Refused."""
    if which:
        named = [grant for grant in mine if which in (grant.id, grant.resource)]
        if not named:
            raise _not_open(which, person, snap)
        return named
    if not mine:
        raise refuse(Why.NOTHING_OPEN)
    resources = sorted({grant.resource for grant in mine})
    if len(resources) > 1:
        raise refuse(Why.SEVERAL_OPEN, names=", ".join(resources))
    return mine


def _not_open(which: str, person: str, snap: Snapshot) -> Refused:
    """A button may be on somebody else's card, or older than what it is about."""
    found = snap.find(Grant, which)
    if found is None or (found.person == person and found.state is State.ASKED):
        return refuse(Why.NOTHING_OPEN, which=which[:80])
    if found.person != person:
        return refuse(Why.NOT_YOURS)
    if found.approved_at:
        return refuse(Why.GRANT_OVER, resource=found.resource)
    return refuse(Why.DECIDED_ALREADY, state=found.state.value, **grants.decided_by(found))


def _endable(grant: Grant) -> bool:
    return grant.state in LIVE or grant.state is State.ASKED


def _revoke(office: Office, by: str, person: str, name: str, why: str, op: str) -> Standing:
    catalog, snap = office.gather(
        lambda known: fact_keys(known.resources[name], by) if name in known.resources else (),
        (f"person:{person}",),
    )
    resource = named(catalog, name)
    if by != person:
        against = approver_objection(by, resource, catalog, facts_of(snap, resource))
        if against:
            raise Refused(against)
    theirs = [g for g in snap.all(Grant) if _endable(g) and g.person == person and g.resource == name]
    if not theirs:
        raise refuse(Why.NOTHING_OPEN, which=name)
    said = {"said": why.strip()[:300]} if why.strip() else {}
    reason = because(Why.REVOKED, by_person=by, **said)
    return _finished(office, theirs, (catalog, snap), op, by, reason)


def _finished(
    office: Office, chosen: list[Grant], scene: Scene, op: str, by: str, reason: Reason
) -> Standing:
    snap = scene[1]
    change, moved = Change(rests_on=(snap,), op=op, answer=chosen[0].id, frees=True), chosen[0]
    for grant in chosen:
        ended, part = _ended(grant, snap, by, reason)
        moved = ended if grant is chosen[0] else moved
        change = joined(change, part)
    receipt = office.ledger.commit(change)
    return stand(office, earlier_answer(receipt)) if receipt.again else standing_after(change, moved, scene)


def _ended(grant: Grant, snap: Snapshot, by: str, reason: Reason) -> tuple[Grant, Change]:
    if grant.state is State.ASKED:
        return _unasked(grant, snap, by, reason)
    return ending(grant, snap, reason, by)


def _unasked(grant: Grant, snap: Snapshot, by: str, reason: Reason) -> tuple[Grant, Change]:
    if by == grant.person:
        moved, what = grants.withdraw(grant, now=snap.now), "withdrawn"
    else:
        moved, what = grants.deny(grant, person=by, now=snap.now, because_of=reason), "denied"
    return moved, Change(
        put={Key.of(Grant, grant.id): moved},
        index={(name, grant.id): False for name in (*indexes(grant), "asked")},
        due=(Due(member=f"card:{grant.id}", at=snap.now),),
        audit=(Entry(what=what, grant=grant.id, by=by, facts={"person": grant.person}),),
    )


def ending(grant: Grant, snap: Snapshot, reason: Reason, by: str | None) -> tuple[Grant, Change]:
    """A live grant that ends now: no lease any more, its holds owed, its shift not started again."""
    moved = grants.end(grant, now=snap.now, reason=reason, by=by)
    due = [Due(member=f"hold:{hold.key}", at=snap.now) for hold in grant.gives]
    put: dict[Key, Document | None] = {Key.of(Grant, grant.id): moved}
    if grant.origin is Origin.SHIFT and by is not None:
        shift = Key.of(ShiftGrant, f"{grant.resource}/{grant.person}")
        put[shift] = ShiftGrant(grant=None, ended_early=end_of_shift(grant))
    facts = {"person": grant.person, "resource": grant.resource, "why": reason.why, **reason.facts}
    return moved, Change(
        put=put,
        leases=(Lease(grant=grant.id, how="drop"),),
        due=(*due, Due(member=f"card:{grant.id}", at=snap.now)),
        audit=(Entry(what="ending", grant=grant.id, by=by, facts=facts),),
        frees=True,
    )


def end_of_shift(grant: Grant) -> datetime | None:
    grace = grant.depends_on.grace if isinstance(grant.depends_on, OnCall) else 0
    return grant.until - timedelta(seconds=grace) if grant.until else None


def joined(first: Change, *others: Change) -> Change:
    """Several changes as one commit; what closes a claim or answers an op is the first's."""
    return reduce(_both, others, first)


def _both(one: Change, other: Change) -> Change:
    return Change(
        rests_on=(*one.rests_on, *other.rests_on),
        needs=(*one.needs, *other.needs),
        without=(*one.without, *other.without),
        members={**one.members, **other.members},
        put={**one.put, **other.put},
        ensure={**one.ensure, **other.ensure},
        leases=(*one.leases, *other.leases),
        index={**one.index, **other.index},
        due=(*one.due, *other.due),
        done=one.done,
        audit=(*one.audit, *other.audit),
        op=one.op,
        answer=one.answer,
        frees=one.frees or other.frees,
        copied=one.copied or other.copied,
    )
