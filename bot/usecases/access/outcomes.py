"""Changes to write about a hold once a target has answered, for each grant behind it: given, gone, failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core import grants
from bot.core.errors import NotConfirmed, PermanentFailure, TemporaryFailure
from bot.core.grants import GIVE_WITHIN, SLOW_GIVE, Cause, Grant, HoldState, State
from bot.core.holds import (
    LONGEST_BACKOFF,
    OVERDUE_AFTER_FAILURES,
    Absence,
    Hold,
    HoldRecord,
    Missing,
    Phase,
    Presence,
    Receipt,
    Seen,
    Witness,
    backoff,
)
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Claim, Done, Due, Entry, Lease, LeaseMove
from bot.ports.documents import Key, Note
from bot.ports.ledger import CLAIM_SECONDS
from bot.usecases.access.views import View
from bot.usecases.notes import note_change
from bot.usecases.requests.admit import indexes
from bot.usecases.requests.finish import ending

LOOK_EVERY = timedelta(minutes=10)
LOOK_AGAIN_AFTER = timedelta(seconds=2 * CLAIM_SECONDS)
LONGEST_RETRY_AFTER = 300
Failure = TemporaryFailure | PermanentFailure


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The answer of a target about a hold. ``seen`` is None if it was seen lately and nothing new rests on
    it. ``until`` is the end that was last sent to the target. ``asked``: the receipts that the target was
    asked with; if a person has changed them since, what it showed does not replace them. ``granted``: the
    access was granted just before that. ``again``: access that had vanished was granted again; ``cause`` is
    set if it was the target that went back. ``missing``: what is known about access of ours that is not
    there."""

    seen: Seen | None
    until: datetime | None
    asked: tuple[Receipt, ...] = ()
    granted: bool = False
    again: bool = False
    cause: Absence | None = None
    missing: Missing | None = None


def ended_over(view: View) -> Change:
    """Return the change that moves grants whose lease has ended, or that could not be granted in time, to
    ENDING. It is written before anything is revoked."""
    parts = []
    for grant in view.over:
        if view.snap.live(grant):
            moved, part = ending(grant, view.snap, because(Why.COULD_NOT_GIVE), None)
            moved = replace(moved, trouble=grant.trouble)
            part = replace(part, put={**part.put, Key.of(Grant, grant.id): moved})
        else:
            last = max(grant.stands_on, key=lambda each: each.until, default=None)
            by_shift = last and last.shift_rule and (last.ends_with or last.wanted)
            why = Why.SHIFT_OVER if by_shift else Why.EXPIRED
            _, part = ending(grant, view.snap, because(why), None)
        parts.append(part)
    return Change(rests_on=(view.snap,), frees=True).plus(*parts)


def taking(view: View) -> Change:
    """Return the change that moves the hold to TAKING. It is written before anything is revoked."""
    record, first = view.record, view.record.phase is not Phase.TAKING
    if first:
        record = replace(
            record, phase=Phase.TAKING, failures=0, failing_since=None, witness=None, missing=None
        )
    entry = Entry(what="taking", facts={"hold": hold_name(view.hold)})
    return Change(
        rests_on=(view.snap,),
        put={Key.of(HoldRecord, view.key): record},
        audit=(entry,) if first else (),
        frees=True,
    )


def done_here(change: Change, claim: Claim) -> Change:
    """Return the change without what it owes for the very job that is being done."""
    return replace(change, due=tuple(each for each in change.due if each.member != claim.member))


# ------------------------------------------------------------------------------------------------- given


def change_if_given(view: View, seen: Observed, claim: Claim, channel: str | None = None) -> Change:
    """Return what to write if the access is there, or was seen lately. No lease behind the hold may have
    ended since the look: that would be a Conflict. ``channel`` is notified of access that had vanished."""
    change = Change(rests_on=(view.snap,))
    for grant in view.live:
        if seen.seen and (grant.holds[view.key] is not HoldState.GIVEN or grant.trouble):
            change = change.plus(_one_given(view, grant, seen.seen.presence))
    change = change.plus(keep_change(view))
    if seen.again:
        given = {"hold": hold_name(view.hold), "why": (seen.cause or Absence.UNKNOWN).value}
        change = change.plus(Change(audit=(Entry(what="given again", facts=given),)))
    if seen.again and seen.cause is Absence.TARGET and channel is not None and (last := view.last):
        # the target went back, which is for people to look into
        access, target = str(view.hold.entitlement), view.hold.target
        about = {"person": last.person, "resource": last.resource, "access": access, "target": target}
        note = Note(id=f"vanished-{claim.fence}", channel=channel, reason=because(Why.GIVEN_AGAIN, **about))
        change = change.plus(note_change(view.now, note))

    look_again = seen.granted and (claim.taken_over or view.record.look_again)
    late = claim.taken_over or look_again  # somebody else may act late
    record = _record_if_given(view, seen, late=late, look_again=look_again)
    next_at = view.now
    if view.live and not change.leases:
        regularly = (record.seen_at or view.now) + LOOK_EVERY
        next_at = soonest(view, view.now + LOOK_AGAIN_AFTER if late else regularly)
    return replace(
        change,
        put={**change.put, Key.of(HoldRecord, view.key): record},
        done=Done(claim=claim, next_at=next_at),
        frees=change.frees and not change.leases,  # a later end is written only if everything can be
    )


def _record_if_given(view: View, seen: Observed, *, late: bool, look_again: bool) -> HoldRecord:
    record, shown = view.record, seen.seen
    receipts, witness = record.receipts, record.witness
    if shown and receipts == seen.asked:
        receipts = shown.receipts or receipts
    if shown and shown.presence is Presence.OURS:
        witness = Witness(at=view.now, system=shown.system, position=shown.position)
    return replace(
        record,
        phase=Phase.GIVEN if view.live else Phase.GIVING,
        given_until=seen.until,
        receipts=receipts,
        seen_at=view.now if shown and not late else record.seen_at,
        failures=0,
        failing_since=None,
        last_error=None,
        elsewhere=None,
        look_again=look_again,
        wished_by=None,
        by_hand=False,
        witness=None if late else witness,
        missing=None if shown else record.missing,
        losses=view.losses if shown else record.losses,
    )


def keep_change(view: View) -> Change:
    """Settle the grants that end while others live on behind the hold: no call to the target is owed for
    them."""
    change = Change()
    for grant in view.ending if view.live else ():
        change = change.plus(_one_settled(view, grant, view.last))
    return change


def soonest(view: View, at: datetime) -> datetime:
    """Return that moment, or the first end of a lease behind the hold if that comes sooner."""
    ends = [end for g in view.live if (end := view.snap.leases[g.id]) is not None]
    return min([*ends, at])


def _one_given(view: View, grant: Grant, seen: Presence) -> Change:
    """Return the change for one grant whose access is there. If the grant becomes ACTIVE by that and granting
    was slow, its end moves by as much, because time runs from approval; but never that of a ground that
    follows a shift."""
    now = view.now
    moved = grants.hold_given(grant, view.key, now=now, had_before=view.record.untouchable)
    facts = {"hold": hold_name(view.hold), "seen": seen.value, "person": grant.person}
    change = Change(
        needs=(grant.id,),
        put={Key.of(Grant, grant.id): moved},
        due=(Due.card(grant.id, at=now),),
        audit=(Entry(what="given", grant=grant.id, facts=facts),),
    )
    if moved.state is not State.ACTIVE or grant.state is not State.APPROVED:
        return change

    waited, later = now - (moved.approved_at or now), moved
    for ground in moved.stands_on if waited > SLOW_GIVE else ():
        if ground.cause in (Cause.APPROVAL, Cause.RULE) and not ground.shift_rule:
            later = grants.move_ground(later, ground, until=ground.until + waited)
    about: dict[str, object] = {"person": moved.person}
    if later.until is not None and later.until != moved.until:
        about["until"] = later.until.isoformat()
        lease = Lease(grant=moved.id, how=LeaseMove.MOVE, until=later.until)
        change = change.plus(Change(put={Key.of(Grant, moved.id): later}, leases=(lease,)))
    return change.plus(Change(audit=(Entry(what="active", grant=moved.id, facts=about),)))


# -------------------------------------------------------------------------------------------------- gone


def change_if_gone(
    view: View, seen: Seen, claim: Claim, channel: str | None = None, keeper: Grant | None = None
) -> Change:
    """Return what to write if nothing of ours is left: ``seen`` is what the target showed. If somebody was
    approved meanwhile, the hold is empty and due at once. ``channel`` is notified of access that somebody
    else granted meanwhile. ``keeper`` is a live grant that needs the access under another name of the
    target."""
    key = Key.of(HoldRecord, view.key)
    change = Change(rests_on=(view.snap,), frees=True)
    still = seen.presence is Presence.THEIRS and not view.record.untouchable and keeper is None
    for grant in view.ending:
        change = change.plus(_one_settled(view, grant, keeper, seen, still=still))
        if still and channel:
            # they still have it, from somebody who granted it while our grant was there
            about = because(
                Why.LEFT_BY_OTHERS,
                person=grant.person,
                resource=grant.resource,
                access=str(view.hold.entitlement),
                grantor=seen.grantor or "somebody else",
            )
            note = Note(id=f"left-{grant.id}-{claim.fence}", channel=channel, reason=about)
            change = change.plus(note_change(view.now, note))
    late = (claim.taken_over or view.record.look_again) and view.record.phase is not Phase.EMPTY
    next_at = view.now + LOOK_AGAIN_AFTER if late else None
    if view.live or view.over:
        next_at = view.now
    receipts = view.record.receipts if late else ()  # they identify what comes late
    record = HoldRecord(hold=view.hold, look_again=True, receipts=receipts) if next_at else None
    return replace(change, put={**change.put, key: record}, done=Done(claim=claim, next_at=next_at))


def _one_settled(
    view: View, grant: Grant, keeper: Grant | None, seen: Seen | None = None, *, still: bool = False
) -> Change:
    left_by = (seen.grantor or "somebody else") if seen and still else None
    kept_by = keeper.id if keeper else None
    sessions_at = view.hold.target if seen and seen.sessions_kept and not keeper else None
    moved = grants.hold_settled(
        grant, view.key, now=view.now, kept_by=kept_by, left_by=left_by, sessions_at=sessions_at
    )
    facts: dict[str, object] = {"hold": hold_name(view.hold), "person": grant.person}
    facts["kept_by" if keeper else "seen"] = kept_by or (seen.presence if seen else Presence.NONE).value
    if left_by:
        facts["left_by"] = left_by
    if sessions_at:
        facts["sessions"] = "kept"
    change = Change(
        put={Key.of(Grant, grant.id): moved},
        due=(Due.card(grant.id, at=view.now),),
        audit=(Entry(what="kept" if keeper else "taken", grant=grant.id, facts=facts),),
        frees=True,
    )
    if moved.state is not State.ENDED:
        return change

    # if only one may hold it, its shifts are due now, so that the next one can begin
    next_one = [f"shift:{grant.resource}"] if grant.seated else []
    relief = [f"alarm:{grant.id}"] if grant.overdue_since else []
    return change.plus(
        Change(
            index={(name, grant.id): False for name in indexes(grant)},
            due=tuple(Due(member=member, at=view.now) for member in (*next_one, *relief)),
            audit=(Entry(what="ended", grant=grant.id, facts={"person": grant.person}),),
            frees=True,
        )
    )


# ------------------------------------------------------------------------------------------------ failed


def change_if_failed(view: View, failure: Failure, seen: Seen | None, claim: Claim) -> Change:
    """Return what to write after one more failure in a row; waiting for a standby to confirm does not count
    as one. Receipts that the target showed all the same are kept: it may have completed them."""
    waits = isinstance(failure, NotConfirmed)
    another = seen.system if seen and seen.presence is Presence.ELSEWHERE else None
    record = replace(
        view.record,
        receipts=(seen and seen.receipts) or view.record.receipts,
        failures=view.record.failures + (0 if waits else 1),
        failing_since=view.record.failing_since or view.now,
        last_error=str(failure)[:300],
        look_again=view.record.look_again or (claim.taken_over and view.record.phase is not Phase.GIVEN),
        wished_by=None,
        elsewhere=another.id if another else None,
    )
    change = Change(rests_on=(view.snap,), frees=not view.live).plus(keep_change(view))
    for grant in view.live:
        change = change.plus(_not_given(view, grant, failure))
    for grant in () if view.live else view.ending:
        change = change.plus(_not_taken(view, record, grant))

    # after a pause, but in time for the end of a lease and for the moment when it is too late to grant
    pause = backoff(record.failures)
    if waits:
        waited = view.now - (record.failing_since or view.now)
        pause = min(max(waited / 4, timedelta(seconds=1)), LONGEST_BACKOFF)
    if isinstance(failure, TemporaryFailure) and failure.retry_after:
        pause = max(pause, timedelta(seconds=min(failure.retry_after, LONGEST_RETRY_AFTER)))
    approved = [each for each in view.live if each.state is State.APPROVED]
    late = GIVE_WITHIN + timedelta(milliseconds=1)
    too_late = [each.approved_at + late for each in approved if each.approved_at]
    next_at = soonest(view, min([view.now + pause, *too_late]))
    if approved and isinstance(failure, PermanentFailure):
        next_at = view.now
    put = {**change.put, Key.of(HoldRecord, view.key): record}
    return replace(change, put=put, done=Done(claim=claim, next_at=next_at, failed=not waits))


def _not_given(view: View, grant: Grant, failure: Failure) -> Change:
    """Return what to write about a grant whose access could not be granted. If it cannot be granted at all,
    the lease is dropped, and what was granted of it is revoked."""
    trouble = str(failure)[:300]
    if grant.state is not State.APPROVED or not isinstance(failure, PermanentFailure):
        return _trouble_change(view, grant, replace(grant, trouble=trouble))

    moved = grants.hold_failed(grant, view.key, now=view.now, trouble=trouble)
    others = (hold for hold in grant.gives if hold.key != view.key)
    facts = {"hold": hold_name(view.hold), "person": grant.person, "error": trouble}
    return Change(
        put={Key.of(Grant, grant.id): moved},
        leases=(Lease(grant=grant.id, how=LeaseMove.DROP),),
        due=(
            *(Due.hold(hold.key, at=view.now) for hold in others),
            Due.card(grant.id, at=view.now),
        ),
        audit=(Entry(what="could not be given", grant=grant.id, facts=facts),),
        frees=True,
    )


def _not_taken(view: View, record: HoldRecord, grant: Grant) -> Change:
    """Return what to write about a grant whose access could not be revoked. From the third failure on it is
    overdue since the end of its lease; that is reported at once and hourly. Anyone who wished for this try is
    told that it did not help."""
    overdue = record.failures >= OVERDUE_AFTER_FAILURES
    ended = grant.lease_ended_at or min(grant.until or view.now, record.failing_since or view.now)
    since = grant.overdue_since or (ended if overdue else None)
    moved = replace(grant, trouble=record.last_error, overdue_since=since)
    change = _trouble_change(view, grant, moved)
    alarm = (Due.alarm(grant.id, at=view.now),)
    if grant.overdue_since or not overdue:
        asks = grant.overdue_since and view.record.replacement != record.replacement
        return change.plus(Change(due=alarm if view.record.wished_by or asks else ()))
    facts = {"hold": hold_name(view.hold), "person": grant.person, "error": record.last_error or ""}
    entry = Entry(what="overdue", grant=grant.id, facts=facts)
    return change.plus(Change(index={("overdue", grant.id): True}, due=alarm, audit=(entry,)))


def _trouble_change(view: View, grant: Grant, moved: Grant) -> Change:
    if moved == grant:
        return Change()
    card = Due.card(grant.id, at=view.now)
    return Change(put={Key.of(Grant, grant.id): moved}, due=(card,))


def hold_name(hold: Hold) -> str:
    return f"{hold.entitlement} for {hold.account}"
