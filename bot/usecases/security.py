"""Stops by security people, and their ends: for one person, or for everything that is granted automatically.

A stop is written even if Redis is full or the audit cannot be written, judged by what was known about
security people within a day. The end of a stop is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.core.blocks import Ban, Freeze
from bot.core.catalog import Catalog
from bot.core.errors import Refused, refuse
from bot.core.grants import LIVE, Grant
from bot.core.members import for_revoking
from bot.core.people import Person
from bot.core.policy import security_objection
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Due, Entry, Snapshot
from bot.ports.documents import Key, Note
from bot.usecases.context import FREEZE, Basis, Context, facts_of, security_keys
from bot.usecases.notes import note_change
from bot.usecases.requests.finish import copies_made, endable, ended_now, revoked_reason
from bot.usecases.results import RevokedAll
from bot.usecases.retry import earlier_answer

MOST_SAID = 300


def revoke_all(context: Context, *, by: str, person: str, why: str, op: str) -> RevokedAll:
    """End all that ``person`` holds or waits for. Until ``allow``, nobody gives them anything and their votes
    do not count. Raises Refused."""
    context.look_up_people(by)

    def attempt() -> str:
        ban = Key.of(Ban, person)
        basis = _basis(context, by, stops=True, besides=(ban, Key.of(Person, person)), of=person)
        catalog, snap = basis
        theirs = [grant for grant in snap.all(Grant) if grant.person == person and endable(grant)]
        live = [grant for grant in theirs if grant.state in LIVE]
        said = why.strip()[:MOST_SAID]
        facts = {"person": person, "said": said, "grants": [grant.id for grant in theirs]}
        change = Change(
            rests_on=(snap,),
            put={ban: Ban(by=by, reason=said, at=snap.now)},
            due=_shifts(catalog.resources, snap),  # a grant that is made at this very moment ends, too
            audit=(Entry(what="banned", by=by, facts=facts),),
            op=op,
            answer=f"{len(live)} {len(theirs) - len(live)}",
            frees=True,
        )
        reason = revoked_reason(by, why)
        ends = (ended_now(grant, snap, by, reason, for_now=True)[1] for grant in theirs)
        note = _note(context, basis, because(Why.BAN_SET, person=person, by_person=by, **_said_fact(said)))
        return _commit(context, change.plus(*ends, note))

    done = context.once(op, "revoke all", by, attempt)
    ended, denied = map(int, done.split())
    return RevokedAll(person=person, ended=ended, denied=denied, copied=copies_made(context))


def allow(context: Context, *, by: str, person: str, op: str) -> None:
    """End the ban on ``person``, whose current shifts start again. Raises Refused."""
    context.look_up_people(by)

    def attempt() -> str:
        ban = Key.of(Ban, person)
        basis = _basis(context, by, stops=False, besides=(ban,))
        catalog, snap = basis
        if person not in facts_of(snap).bans:
            raise refuse(Why.NOT_BANNED, person=person)
        change = Change(
            rests_on=(snap,),
            put={ban: None},
            due=_shifts(_on_shift(catalog), snap),
            audit=(Entry(what="allowed", by=by, facts={"person": person}),),
            op=op,
        )
        note = _note(context, basis, because(Why.BAN_OVER, person=person, by_person=by))
        return _commit(context, change.plus(note))

    context.once(op, "allow", by, attempt)


def freeze(context: Context, *, by: str, why: str, op: str) -> bool:
    """Commit that no rule, shift or incident starts anything from now on; what is live stays. Return whether
    replicas of Redis have confirmed it. Raises Refused."""
    context.look_up_people(by)

    def attempt() -> str:
        basis = _basis(context, by, stops=True)
        snap, said = basis[1], why.strip()[:MOST_SAID]
        change = Change(
            rests_on=(snap,),
            put={FREEZE: Freeze(by=by, reason=said, at=snap.now)},
            audit=(Entry(what="frozen", by=by, facts={"said": said}),),
            op=op,
            frees=True,
        )
        note = _note(context, basis, because(Why.FREEZE_SET, by_person=by, **_said_fact(said)))
        return _commit(context, change.plus(note))

    context.once(op, "freeze", by, attempt)
    return copies_made(context)


def unfreeze(context: Context, *, by: str, op: str) -> None:
    """End the freeze; current shifts start at once. Raises Refused."""
    context.look_up_people(by)

    def attempt() -> str:
        basis = _basis(context, by, stops=False)
        catalog, snap = basis
        if facts_of(snap).frozen is None:
            raise refuse(Why.NOT_FROZEN)
        change = Change(
            rests_on=(snap,),
            put={FREEZE: None},
            due=_shifts(_on_shift(catalog), snap),
            audit=(Entry(what="unfrozen", by=by),),
            op=op,
        )
        return _commit(context, change.plus(_note(context, basis, because(Why.FREEZE_OVER, by_person=by))))

    context.once(op, "unfreeze", by, attempt)


def _basis(
    context: Context,
    by: str,
    *,
    stops: bool,
    besides: Iterable[Key] = (),
    of: str | None = None,
) -> Basis:
    """Return the policy, and what is known about ``by`` and all grants ``of`` somebody. Raises Refused unless
    ``by`` is one of the security people. ``stops``: what they do only ends access."""
    keys = {Key.of(Person, by), Key.of(Ban, by), FREEZE, *besides}
    catalog, snap = context.read_basis(
        lambda known: keys | security_keys(known), (f"person:{of}",) if of else ()
    )
    facts = facts_of(snap)
    against = security_objection(by, catalog, for_revoking(facts) if stops else facts)
    if against:
        raise Refused(against)
    return catalog, snap


def _commit(context: Context, change: Change) -> str:
    receipt = context.ledger.commit(change)
    return earlier_answer(receipt) if receipt.again else change.answer


def _said_fact(text: str) -> dict[str, str]:
    return {"said": text} if text else {}


def _on_shift(catalog: Catalog) -> list[str]:
    return [each.name for each in catalog.resources.values() if each.on_shift]


def _shifts(resources: Iterable[str], snap: Snapshot) -> tuple[Due, ...]:
    return tuple(Due.shift(each, at=snap.now) for each in resources)


def _note(context: Context, basis: Basis, reason: Reason) -> Change:
    """Return a note to the security channel, if there is one."""
    catalog, snap = basis
    if catalog.security_channel is None:
        return Change()
    note = Note(id=context.new_id(), channel=catalog.security_channel, reason=reason)
    return note_change(snap.now, note)
