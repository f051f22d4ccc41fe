"""What is written about a hold once a target answered, for each grant behind it: given, gone, failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core import grants
from bot.core.catalog import OnCall
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
from bot.ports import CLAIM_SECONDS, Change, Claim, Done, Due, Entry, Key, Lease, Note
from bot.usecases.admit import indexes
from bot.usecases.finish import ending, join_changes
from bot.usecases.views import View

LOOK_EVERY = timedelta(minutes=10)
LOOK_AGAIN_AFTER = timedelta(seconds=2 * CLAIM_SECONDS)
LONGEST_RETRY_AFTER = 300
Failure = TemporaryFailure | PermanentFailure


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the target showed; None if it was seen lately and nothing new rests on it. ``until`` is the end
    the target was last told. ``granted``: it was granted just before that. ``again``: what had vanished was,
    and the reason is known if it was the target that went back. ``asked``: the receipts that the target was
    asked with; if a person has changed them since, what it showed does not replace them. ``missing``: what
    is known about access of ours that is not there."""

    seen: Seen | None
    until: datetime | None
    asked: tuple[Receipt, ...] = ()
    granted: bool = False
    again: bool = False
    cause: Absence | None = None
    missing: Missing | None = None


def ended_over(view: View) -> Change:
    """Whose time is over is written down before anything is taken."""
    parts = []
    for grant in view.over:
        moved, part = ending(grant, view.snap, because(_why_over(view, grant)), None)
        if view.snap.live(grant):
            part = replace(
                part, put={**part.put, Key.of(Grant, grant.id): replace(moved, trouble=grant.trouble)}
            )
        parts.append(part)
    return join_changes(Change(rests_on=(view.snap,), frees=True), *parts)


def taking(view: View) -> Change:
    """What is about to be taken is written down first."""
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
    """What is owed for the very thing that is being done need not be owed again."""
    return replace(change, due=tuple(each for each in change.due if each.member != claim.member))


def _why_over(view: View, grant: Grant) -> Why:
    """If its time is over, that of its last ground is: the shift's, or what was requested."""
    if view.snap.live(grant):
        return Why.COULD_NOT_GIVE
    last = max(grant.stands_on, key=lambda each: each.until, default=None)
    by_shift = last and (last.ends_with or (last.wanted and isinstance(last.lives_by, OnCall)))
    return Why.SHIFT_OVER if by_shift else Why.EXPIRED


# ------------------------------------------------------------------------------------------------- given


def change_if_given(view: View, seen: Observed, claim: Claim, channel: str | None = None) -> Change:
    """Nobody's lease may have ended since the look: that would be a Conflict. ``channel`` hears of what had
    vanished."""
    now = view.now
    change = Change(rests_on=(view.snap,))
    for grant in view.live:
        if seen.seen and (grant.holds[view.key] is not HoldState.GIVEN or grant.trouble):
            change = join_changes(change, _one_given(view, grant, seen.seen.presence))
    change = join_changes(change, keep_change(view))
    look_again = seen.granted and (claim.taken_over or view.record.look_again)
    late = claim.taken_over or look_again
    record = replace(
        view.record,
        phase=Phase.GIVEN if view.live else Phase.GIVING,
        given_until=seen.until,
        receipts=_receipts_after(view, seen),
        seen_at=now if seen.seen and not late else view.record.seen_at,
        failures=0,
        failing_since=None,
        last_error=None,
        elsewhere=None,
        look_again=look_again,
        wished_by=None,
        by_hand=False,
        witness=None if late else _witness_after(view, seen),
        missing=None if seen.seen else view.record.missing,
        losses=view.losses if seen.seen else view.record.losses,
    )
    if seen.again:
        change = join_changes(change, _given_again(view, seen, claim, channel))
    return replace(
        change,
        put={**change.put, Key.of(HoldRecord, view.key): record},
        done=Done(claim=claim, next_at=now if change.leases else _look_at(view, record, late=late)),
        frees=change.frees and not change.leases,  # an end that moves later is written only if all can be
    )


def _receipts_after(view: View, seen: Observed) -> tuple[Receipt, ...]:
    if seen.seen is None or view.record.receipts != seen.asked:
        return view.record.receipts
    return seen.seen.receipts or view.record.receipts


def _witness_after(view: View, seen: Observed) -> Witness | None:
    if seen.seen is None or seen.seen.presence is not Presence.OURS:
        return view.record.witness
    return Witness(at=view.now, system=seen.seen.system, position=seen.seen.position)


def _given_again(view: View, seen: Observed, claim: Claim, channel: str | None) -> Change:
    """People hear of it if the target went back: that is theirs to look into."""
    facts: dict[str, object] = {"hold": hold_name(view.hold), "why": (seen.cause or Absence.UNKNOWN).value}
    change = Change(audit=(Entry(what="given again", facts=facts),))
    if view.last is None or channel is None or seen.cause is not Absence.TARGET:
        return change
    about = because(
        Why.GIVEN_AGAIN,
        person=view.last.person,
        resource=view.last.resource,
        access=str(view.hold.entitlement),
        target=view.hold.target,
    )
    note = Note(id=f"vanished-{claim.fence}", channel=channel, reason=about)
    due = Due(member=f"note:{note.id}", at=view.now)
    return replace(change, put={Key.of(Note, note.id): note}, due=(due,))


def keep_change(view: View) -> Change:
    """Grants that end while others live on behind the hold: no call to the target is owed for them."""
    change = Change()
    for grant in view.ending if view.live else ():
        change = join_changes(change, _one_settled(view, grant, view.last))
    return change


def _look_at(view: View, record: HoldRecord, *, late: bool) -> datetime:
    """At the first end of a lease behind it, and now and then; soon where somebody may act late."""
    if not view.live:
        return view.now
    regularly = (record.seen_at or view.now) + LOOK_EVERY
    return soonest(view, view.now + LOOK_AGAIN_AFTER if late else regularly)


def soonest(view: View, at: datetime) -> datetime:
    """Return that moment, or the first end of a lease behind the hold if that comes sooner."""
    ends = [end for g in view.live if (end := view.snap.leases[g.id]) is not None]
    return min([*ends, at])


def _one_given(view: View, grant: Grant, seen: Presence) -> Change:
    now = view.now
    moved = grants.hold_given(grant, view.key, now=now, had_before=view.record.untouchable)
    facts = {"hold": hold_name(view.hold), "seen": seen.value, "person": grant.person}
    change = Change(
        needs=(grant.id,),
        put={Key.of(Grant, grant.id): moved},
        due=(Due(member=f"card:{grant.id}", at=now),),
        audit=(Entry(what="given", grant=grant.id, facts=facts),),
    )
    if moved.state is State.ACTIVE and grant.state is State.APPROVED:
        change = _now_active(view, moved, change)
    return change


def _now_active(view: View, moved: Grant, change: Change) -> Change:
    """Time runs from approval; where giving was slow, the end moves by as much, but never beyond a shift."""
    waited = view.now - (moved.approved_at or view.now)
    entry = Entry(what="active", grant=moved.id, facts={"person": moved.person})
    change = replace(change, audit=(*change.audit, entry))
    if waited <= SLOW_GIVE:
        return change
    later = moved
    for ground in moved.stands_on:
        follows_shift = ground.ends_with or isinstance(ground.lives_by, OnCall)
        if ground.cause in (Cause.APPROVAL, Cause.RULE) and not follows_shift:
            later = grants.move_ground(later, ground, until=ground.until + waited)
    if later.until is None or later.until == moved.until:
        return change
    lease = Lease(grant=moved.id, how="move", until=later.until)
    return replace(change, put={**change.put, Key.of(Grant, moved.id): later}, leases=(lease,))


# -------------------------------------------------------------------------------------------------- gone


def change_if_gone(
    view: View, seen: Seen, claim: Claim, channel: str | None = None, keeper: Grant | None = None
) -> Change:
    """Return what to write when nothing of ours is left: ``seen`` is what the target showed. If somebody was
    approved meanwhile, the hold is empty and due at once. ``channel`` hears of access that somebody else gave
    meanwhile. ``keeper`` is a live grant that needs it under another name of the target."""
    key = Key.of(HoldRecord, view.key)
    change = Change(rests_on=(view.snap,), frees=True)
    still = seen.presence is Presence.THEIRS and not view.record.untouchable and keeper is None
    for grant in view.ending:
        change = join_changes(change, _one_settled(view, grant, keeper, seen, still=still))
        if still and channel:
            change = join_changes(change, _left_by_others(view, grant, seen, claim, channel))
    late = (claim.taken_over or view.record.look_again) and view.record.phase is not Phase.EMPTY
    next_at = view.now + LOOK_AGAIN_AFTER if late else None
    if view.live or view.over:
        next_at = view.now
    receipts = view.record.receipts if late else ()  # what comes late is known by them
    record = HoldRecord(hold=view.hold, look_again=True, receipts=receipts) if next_at else None
    return replace(change, put={**change.put, key: record}, done=Done(claim=claim, next_at=next_at))


def _one_settled(
    view: View, grant: Grant, keeper: Grant | None, seen: Seen | None = None, *, still: bool = False
) -> Change:
    left_by = (seen.grantor or "somebody else") if seen and still else None
    kept_by = keeper.id if keeper else None
    moved = grants.hold_settled(grant, view.key, now=view.now, kept_by=kept_by, left_by=left_by)
    facts: dict[str, object] = {"hold": hold_name(view.hold), "person": grant.person}
    facts["kept_by" if keeper else "seen"] = kept_by or (seen.presence if seen else Presence.NONE).value
    if left_by:
        facts["left_by"] = left_by
    change = Change(
        put={Key.of(Grant, grant.id): moved},
        due=(Due(member=f"card:{grant.id}", at=view.now),),
        audit=(Entry(what="kept" if keeper else "taken", grant=grant.id, facts=facts),),
        frees=True,
    )
    return join_changes(change, _end_change(view, grant)) if moved.state is State.ENDED else change


def _left_by_others(view: View, grant: Grant, seen: Seen, claim: Claim, channel: str) -> Change:
    """Say once that the person still has it, from somebody who gave it while our grant was there."""
    about = because(
        Why.LEFT_BY_OTHERS,
        person=grant.person,
        resource=grant.resource,
        access=str(view.hold.entitlement),
        grantor=seen.grantor or "somebody else",
    )
    note = Note(id=f"left-{grant.id}-{claim.fence}", channel=channel, reason=about)
    due = Due(member=f"note:{note.id}", at=view.now)
    return Change(put={Key.of(Note, note.id): note}, due=(due,), frees=True)


def _end_change(view: View, grant: Grant) -> Change:
    """Nothing of it is held any more. If only one may hold it, the next shift begins."""
    entry = Entry(what="ended", grant=grant.id, facts={"person": grant.person})
    next_one = [f"shift:{grant.resource}"] if grant.seated else []
    relief = [f"alarm:{grant.id}"] if grant.overdue_since else []
    return Change(
        index={(name, grant.id): False for name in indexes(grant)},
        due=tuple(Due(member=member, at=view.now) for member in (*next_one, *relief)),
        audit=(entry,),
        frees=True,
    )


# ------------------------------------------------------------------------------------------------ failed


def change_if_failed(view: View, failure: Failure, seen: Seen | None, claim: Claim) -> Change:
    """Return what to write after one more failure in a row; waiting for a standby's word counts as none. What
    the target showed all the same is kept: receipts may have been completed by it."""
    waits = isinstance(failure, NotConfirmed)
    record = replace(
        view.record,
        receipts=(seen and seen.receipts) or view.record.receipts,
        failures=view.record.failures + (0 if waits else 1),
        failing_since=view.record.failing_since or view.now,
        last_error=str(failure)[:300],
        look_again=view.record.look_again or (claim.taken_over and view.record.phase is not Phase.GIVEN),
        wished_by=None,
        elsewhere=_another_system(seen),
    )
    change = join_changes(Change(rests_on=(view.snap,), frees=not view.live), keep_change(view))
    for grant in view.live:
        change = join_changes(change, _not_given(view, grant, failure))
    for grant in () if view.live else view.ending:
        change = join_changes(change, _not_taken(view, record, grant))
    put = {**change.put, Key.of(HoldRecord, view.key): record}
    done = Done(claim=claim, next_at=_try_at(view, record, failure), failed=not waits)
    return replace(change, put=put, done=done)


def _another_system(seen: Seen | None) -> str | None:
    return seen.system.id if seen and seen.system and seen.presence is Presence.ELSEWHERE else None


def _try_at(view: View, record: HoldRecord, failure: Failure) -> datetime:
    """After a pause; but when a lease ends, or it is too late to give, that is seen to on time."""
    if isinstance(failure, PermanentFailure) and any(g.state is State.APPROVED for g in view.live):
        return view.now
    pause = backoff(record.failures)
    if isinstance(failure, NotConfirmed):
        waited = view.now - (record.failing_since or view.now)
        pause = min(max(waited / 4, timedelta(seconds=1)), LONGEST_BACKOFF)
    if isinstance(failure, TemporaryFailure) and failure.retry_after:
        pause = max(pause, timedelta(seconds=min(failure.retry_after, LONGEST_RETRY_AFTER)))
    ends = [end for g in view.live if (end := view.snap.leases[g.id]) is not None]
    tick = timedelta(milliseconds=1)
    asked = [g.approved_at for g in view.live if g.state is State.APPROVED and g.approved_at]
    return min([view.now + pause, *ends, *(at + GIVE_WITHIN + tick for at in asked)])


def _not_given(view: View, grant: Grant, failure: Failure) -> Change:
    if grant.state is State.APPROVED and isinstance(failure, PermanentFailure):
        return _could_not_give(view, grant, failure)
    return _trouble_change(view, grant, replace(grant, trouble=str(failure)[:300]))


def _could_not_give(view: View, grant: Grant, failure: Failure) -> Change:
    """All or nothing: the lease goes, and what was given of the grant is taken back."""
    moved = grants.hold_failed(grant, view.key, now=view.now, trouble=str(failure)[:300])
    others = (hold for hold in grant.gives if hold.key != view.key)
    facts = {"hold": hold_name(view.hold), "person": grant.person, "error": str(failure)[:300]}
    return Change(
        put={Key.of(Grant, grant.id): moved},
        leases=(Lease(grant=grant.id, how="drop"),),
        due=(
            *(Due(member=f"hold:{hold.key}", at=view.now) for hold in others),
            Due(member=f"card:{grant.id}", at=view.now),
        ),
        audit=(Entry(what="could not be given", grant=grant.id, facts=facts),),
        frees=True,
    )


def _not_taken(view: View, record: HoldRecord, grant: Grant) -> Change:
    """What is still there after the third try is overdue since the end of its lease. That is written down,
    and told at once and hourly. Who wished for this try hears that it did not help."""
    overdue = record.failures >= OVERDUE_AFTER_FAILURES
    ended = grant.lease_ended_at or min(grant.until or view.now, record.failing_since or view.now)
    since = grant.overdue_since or (ended if overdue else None)
    moved = replace(grant, trouble=record.last_error, overdue_since=since)
    change = _trouble_change(view, grant, moved)
    alarm = (Due(member=f"alarm:{grant.id}", at=view.now),)
    if grant.overdue_since or not overdue:
        another = grant.overdue_since and view.record.elsewhere != record.elsewhere
        return join_changes(change, Change(due=alarm if view.record.wished_by or another else ()))
    facts = {"hold": hold_name(view.hold), "person": grant.person, "error": record.last_error or ""}
    entry = Entry(what="overdue", grant=grant.id, facts=facts)
    return join_changes(change, Change(index={("overdue", grant.id): True}, due=alarm, audit=(entry,)))


def _trouble_change(view: View, grant: Grant, moved: Grant) -> Change:
    if moved == grant:
        return Change()
    card = Due(member=f"card:{grant.id}", at=view.now)
    return Change(put={Key.of(Grant, grant.id): moved}, due=(card,))


def hold_name(hold: Hold) -> str:
    return f"{hold.entitlement} for {hold.account}"
