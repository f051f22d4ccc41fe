"""Ends access early: it is given back by its holder, or revoked by approvers or security people. A request
that waits is withdrawn or denied."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core import grants
from bot.core.blocks import Block, block_name
from bot.core.catalog import Catalog
from bot.core.document import Document
from bot.core.errors import Refused, TemporaryFailure, refuse
from bot.core.grants import LIVE, NOT_BEGUN, Grant, State
from bot.core.members import for_revoking
from bot.core.people import Person
from bot.core.policy import approver_objection, security_objection
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Due, Entry, Lease, LeaseMove, Snapshot
from bot.ports.documents import Key, ShiftGrant
from bot.usecases.context import (
    Basis,
    Context,
    commit_standing,
    facts_of,
    read_standing,
    security_keys,
    stop_keys,
)
from bot.usecases.requests.admit import indexes
from bot.usecases.requests.visible import resource_for, sight_keys
from bot.usecases.results import Standing


def give_back(
    context: Context, *, person: str, which: str | None, everything: bool = False, op: str
) -> Standing:
    """End what ``person`` holds or waits for: all of a resource, one grant by id, the only resource, or
    everything. Raises Refused if there is nothing, or there are several and none was named."""

    def attempt() -> Standing:
        catalog, snap = context.read_basis(lambda _: named_grant_keys(which), (f"person:{person}",))
        mine = [grant for grant in snap.all(Grant) if grant.person == person and endable(grant)]
        chosen = mine if everything and mine else chosen_of(mine, which, person, (catalog, snap))
        return _commit_ends(context, chosen, (catalog, snap), person, because(Why.GIVEN_BACK), Change(op=op))

    done = context.once(op, "give back", person, attempt)
    return _with_copies(context, read_standing(context, done) if isinstance(done, str) else done)


def revoke(context: Context, *, by: str, person: str, resource: str, why: str, op: str) -> Standing:
    """End all that ``person`` holds or waits for of the resource. Its approvers, security people and the
    person may do this. What somebody else revoked is not granted again by any rule for a while. Raises
    Refused."""
    context.look_up_people(by)

    def keys(catalog: Catalog) -> set[Key]:
        judged = sight_keys(catalog, resource, by) if resource in catalog.resources else {Key.of(Person, by)}
        # A request or a starting shift writes these, so neither slips past the revocation.
        written = {Key.of(Person, person), Key.of(ShiftGrant, f"{resource}/{person}")}
        return judged | written | stop_keys(resource, by, person) | security_keys(catalog)

    def attempt() -> Standing:
        basis = context.read_basis(keys, (f"person:{person}",))
        catalog, snap = basis
        facts = for_revoking(facts_of(snap))
        if security_objection(by, catalog, facts):  # security people may even if the policy no longer has it
            known = resource_for(context, by, resource, basis)
            against = approver_objection(by, known, catalog, facts) if by != person else None
            if against:
                raise Refused(against)

        theirs = [g for g in snap.all(Grant) if endable(g) and g.person == person and g.resource == resource]
        if not theirs:
            which = resource_for(context, by, resource, basis).name
            raise refuse(Why.NOTHING_OPEN, which=which, person=person)
        reason = revoked_reason(by, why)
        lost = by != person and any(grant.state in LIVE for grant in theirs)
        block = block_change(person, resource, reason, by, snap, catalog) if lost else Change()
        return _commit_ends(context, theirs, basis, by, reason, replace(block, op=op))

    done = context.once(op, "revoke", by, attempt)
    return _with_copies(context, read_standing(context, done) if isinstance(done, str) else done)


def _with_copies(context: Context, done: Standing) -> Standing:
    return replace(done, copied=copies_made(context))


def copies_made(context: Context) -> bool:
    """Return whether replicas have the last change, after waiting up to a second: the answer says so. Ending
    access does not wait for them."""
    try:
        return context.ledger.wait_for_copies()
    except TemporaryFailure:
        return False


def named_grant_keys(which: str | None) -> set[Key]:
    """Return the keys to read so that a refusal can say why the grant with that id, if it is one, is not
    meant."""
    return {Key.of(Grant, which)} if which else set()


def chosen_of(mine: list[Grant], which: str | None, person: str, basis: Basis) -> list[Grant]:
    """Return the grants meant by a name or an id, or because there is only one resource. Raises Refused: a
    button may be on somebody else's card, or older than what it is about."""
    if not which:
        resources = sorted({grant.resource for grant in mine})
        if not mine:
            raise refuse(Why.NOTHING_OPEN)
        if len(resources) > 1:
            raise refuse(Why.SEVERAL_OPEN, names=", ".join(resources))
        return mine
    if named := [grant for grant in mine if which in (grant.id, grant.resource)]:
        return named

    catalog, snap = basis
    found = snap.find(Grant, which)
    resource = catalog.resources.get(found.resource) if found else None
    if found and found.person != person and resource and resource.hidden:
        found = None
    if found is None or (found.person == person and found.state is State.ASKED):
        raise refuse(Why.NOTHING_OPEN, which=which[:80])
    if found.person != person:
        raise refuse(Why.NOT_YOURS)
    if found.approved_at:
        raise refuse(Why.GRANT_OVER, resource=found.resource)
    raise refuse(Why.DECIDED_ALREADY, state=found.state.value, **grants.decided_by(found))


def endable(grant: Grant) -> bool:
    return grant.state in LIVE or grant.state in NOT_BEGUN


def revoked_reason(by: str, why: str) -> Reason:
    said = {"said": why.strip()[:300]} if why.strip() else {}
    return because(Why.REVOKED, by_person=by, **said)


def block_change(
    person: str, resource: str, reason: Reason, by: str | None, snap: Snapshot, catalog: Catalog
) -> Change:
    """Return the change after which no rule, shift or incident gives this person the resource, for as long as
    the policy says or until an approver approves a new request. ``by`` None: somebody removed the access at
    the target by hand."""
    until = snap.now + timedelta(seconds=catalog.security.revoked_for)
    facts = {"person": person, "resource": resource, "until": until.isoformat(), "why": reason.why.value}
    block = Block(reason=reason, by=by, since=snap.now, until=until)
    return Change(
        put={Key.of(Block, block_name(resource, person)): block},
        due=(Due.shift(resource, at=until),),
        audit=(Entry(what="blocked", by=by, facts=facts),),
        frees=True,
    )


def _commit_ends(
    context: Context, chosen: list[Grant], basis: Basis, by: str, reason: Reason, besides: Change
) -> Standing:
    """Commit the ends of these grants together with ``besides``, which has the op. Return how the first of
    them stands."""
    snap = basis[1]
    change, moved = replace(besides, rests_on=(snap,), answer=chosen[0].id, frees=True), chosen[0]
    for grant in chosen:
        ended, part = ended_now(grant, snap, by, reason)
        moved = ended if grant is chosen[0] else moved
        change = change.plus(part)
    return commit_standing(context, change, moved, basis)


def ended_now(
    grant: Grant, snap: Snapshot, by: str, reason: Reason, *, for_now: bool = False
) -> tuple[Grant, Change]:
    """Return a live or waiting grant after its end, and what must be written for it. ``for_now``: see
    ``ending``."""
    if grant.state not in NOT_BEGUN:
        return ending(grant, snap, reason, by, for_now=for_now)
    if by == grant.person:
        moved, what = grants.withdraw(grant, now=snap.now), "withdrawn"
    else:
        moved, what = grants.deny(grant, person=by, now=snap.now, because_of=reason), "denied"
    return moved, Change(
        put={Key.of(Grant, grant.id): moved},
        index={(name, grant.id): False for name in (*indexes(grant), "asked")},
        due=(Due.card(grant.id, at=snap.now),),
        audit=(Entry(what=what, grant=grant.id, by=by, facts={"person": grant.person}),),
    )


ENDED_EARLY = frozenset({Why.HAND_REMOVED, Why.NOT_AFTER_RESTORE})
"""Reasons for which a shift that ended does not start again, although nobody ended it in Slack."""


def ending(
    grant: Grant, snap: Snapshot, reason: Reason, by: str | None, *, for_now: bool = False
) -> tuple[Grant, Change]:
    """Return a live grant after its end, and what must be written for it: its lease is dropped, its holds are
    owed, and if somebody ended it, its shift does not start again. ``for_now``: the shift may start again
    once what stops it now is over."""
    moved = grants.end(grant, reason=reason, by=by, now=snap.now)
    due = [Due.hold(hold.key, at=snap.now) for hold in grant.gives]
    if grant.extension:
        due.append(Due.card(grant.extension.id, at=snap.now))
    put: dict[Key, Document | None] = {Key.of(Grant, grant.id): moved}
    if grant.shift_ground and (by is not None or reason.why in ENDED_EARLY) and not for_now:
        put |= left_shift(grant, snap)
    facts = {"person": grant.person, "resource": grant.resource, "why": reason.why, **reason.facts}
    return moved, Change(
        put=put,
        leases=(Lease(grant=grant.id, how=LeaseMove.DROP),),
        index={("asked", grant.id): False},
        due=(*due, Due.card(grant.id, at=snap.now)),
        audit=(Entry(what="ending", grant=grant.id, by=by, facts=facts),),
        frees=True,
    )


def left_shift(grant: Grant, snap: Snapshot) -> dict[Key, Document | None]:
    """Return what must be written so that the shift that is on now does not start again automatically for
    this person and resource."""
    return {Key.of(ShiftGrant, f"{grant.resource}/{grant.person}"): ShiftGrant(grant=None, left_at=snap.now)}
