"""Making what is held at a target equal to what the live grants say: give, look, take.

Nobody "revokes a grant": a grant loses its lease, and then the hold behind it is converged. What is
about to be done is written before it is done, and what was observed is written before it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core import grants
from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.grants import GIVE_WITHIN, LIVE, SLOW_GIVE, Grant, HoldState, Origin, State
from bot.core.holds import Hold, HoldRecord, Phase, Presence, backoff
from bot.core.reasons import Why, because
from bot.ports import (
    CLAIM_SECONDS,
    Change,
    Claim,
    Deadline,
    Document,
    Done,
    Due,
    Entry,
    Key,
    Lease,
    Ledger,
    Note,
    Seat,
    Snapshot,
    Target,
)
from bot.usecases.admit import indexes
from bot.usecases.finish import ending, joined
from bot.usecases.turn import Turn

LOOK_EVERY = timedelta(minutes=10)
TELL_OVERDUE_EVERY = timedelta(hours=1)
LOOK_AGAIN_AFTER = timedelta(seconds=2 * CLAIM_SECONDS)
FOREVER = timedelta(days=36_500)
Failure = TemporaryFailure | PermanentFailure


@dataclass(frozen=True, kw_only=True)
class View:
    """A hold as it stands: its record, the grants behind it, and the moment we looked."""

    hold: Hold
    record: HoldRecord
    snap: Snapshot
    looked_at: Deadline

    @property
    def behind(self) -> tuple[Grant, ...]:
        return tuple(g for g in self.snap.all(Grant) if self.hold.key in g.holds)

    @property
    def live(self) -> tuple[Grant, ...]:
        return tuple(g for g in self.behind if g.state in LIVE and self.snap.live(g))

    @property
    def ending(self) -> tuple[Grant, ...]:
        unsettled = (g for g in self.behind if g.state is State.ENDING)
        return tuple(g for g in unsettled if g.holds[self.hold.key] not in grants.SETTLED)

    @property
    def over(self) -> tuple[Grant, ...]:
        """Live by their state, but their lease is gone or they could not be given in time."""
        return tuple(
            g
            for g in self.behind
            if g.state in LIVE and (not self.snap.live(g) or _too_late(g, self.snap.now))
        )

    @property
    def until(self) -> datetime | None:
        """The latest end of those that are live; None where one of them has none."""
        ends = [self.snap.leases[g.id] for g in self.live]
        known = [end for end in ends if end is not None]
        return max(known) if len(known) == len(ends) else None


def _too_late(grant: Grant, now: datetime) -> bool:
    approved = grant.approved_at or now
    return grant.state is State.APPROVED and now - approved > GIVE_WITHIN


def _why_over(view: View, grant: Grant) -> Why:
    if view.snap.live(grant):
        return Why.COULD_NOT_GIVE
    return Why.SHIFT_OVER if grant.origin is Origin.SHIFT else Why.EXPIRED


class Convergence:
    """``target`` finds the target by name and raises PermanentFailure where it is not configured."""

    def __init__(
        self,
        ledger: Ledger,
        target: Callable[[str], Target],
        turn: Turn,
        security_channel: str | None = None,
    ) -> None:
        self.ledger = ledger
        self.target = target
        self.turn = turn
        self.claim: Claim = turn.claim
        self.security_channel = security_channel

    def run(self) -> None:
        """Bring the hold one whole step on, and close the claim. What fails is written and due again.

        Where somebody else changed what this rests on, it is looked at anew; where the claim has run
        out, it is left to whoever claims it next.
        """
        for _ in range(10):
            if self.turn.fence.passed:
                return
            try:
                self._step()
            except Conflict:
                continue
            return
        self._arm()

    def _step(self) -> None:
        view = self._look()
        if view is None:
            self.ledger.commit(Change(done=Done(claim=self.claim)))
            return
        if view.over:
            view = self._end_over(view)
        try:
            if view.live:
                self._keep(view)
            else:
                self._clear(view)
        except (TemporaryFailure, PermanentFailure) as raised:
            failure = raised
            self._settle(lambda seen: self._failed(seen, failure))

    def _look(self) -> View | None:
        key = Key.of(HoldRecord, self.claim.id)
        looked_at = Deadline.after(0)
        snap = self.ledger.read({key}, (f"hold:{self.claim.id}",))
        seats = _seats(snap.all(Grant))
        if seats:
            looked_at = Deadline.after(0)
            snap = self.ledger.read({key, *seats}, (f"hold:{self.claim.id}",))
        record = snap.find(HoldRecord, self.claim.id)
        hold = record.hold if record else _hold_in(snap, self.claim.id)
        if hold is None:
            return None
        return View(hold=hold, record=record or HoldRecord(hold=hold), snap=snap, looked_at=looked_at)

    def _end_over(self, view: View) -> View:
        """Write down whose time is over before anything is taken."""
        change = Change(rests_on=(view.snap,), frees=True)
        for grant in view.over:
            _, part = ending(grant, view.snap, because(_why_over(view, grant)), None)
            change = joined(change, part)
        self.ledger.commit(replace(change, due=_but(change.due, self.claim.member)))
        fresh = self._look()
        if fresh is None:
            raise Conflict
        return fresh

    # ------------------------------------------------------------------------------------- keeping

    def _keep(self, view: View) -> None:
        target = self.target(view.hold.target)
        if view.record.phase is not Phase.GIVEN:
            view = self._note_baseline(view, target)
            seen: Presence | None = self._given(view, target)
        else:
            seen = self._seen(view, target)
        self._settle(lambda now: self._outcome_given(now, seen))

    def _note_baseline(self, view: View, target: Target) -> View:
        """What was there before us is committed before giving: after a crash it cannot be taken for ours,
        nor ours for theirs."""
        baseline = view.record.baseline
        if baseline is None:
            baseline = target.has(view.hold, self.turn.call())
        key = Key.of(HoldRecord, view.hold.key)
        entry = Entry(what="giving", facts={"hold": _named(view.hold), "baseline": baseline.value})
        self.ledger.commit(
            Change(
                rests_on=(Snapshot(now=view.snap.now, versions={key: view.snap.versions.get(key, 0)}),),
                put={key: replace(view.record, phase=Phase.GIVING, baseline=baseline)},
                audit=(entry,),
            )
        )
        fresh = self._look()
        if fresh is None or not fresh.live:
            raise Conflict
        return fresh

    def _given(self, view: View, target: Target) -> Presence:
        if view.record.untouchable:
            return Presence.THEIRS
        target.give(view.hold, view.until, self._not_after(view))
        seen = target.has(view.hold, self.turn.call())
        if seen is Presence.NONE:
            raise TemporaryFailure(f"{view.hold.target} did not show it after giving")
        return seen

    def _seen(self, view: View, target: Target) -> Presence | None:
        """What a hold that was given shows now; None where it was seen lately and nothing new rests on
        it. What has vanished is given again."""
        pending = any(g.holds[view.hold.key] is not HoldState.GIVEN for g in view.live)
        seen_at = view.record.seen_at
        if not pending and seen_at and view.snap.now - seen_at < LOOK_EVERY:
            return None
        if pending and target.abilities.keeps_end:
            return self._given(view, target)
        seen = target.has(view.hold, self.turn.call())
        return self._given(view, target) if seen is Presence.NONE else seen

    def _not_after(self, view: View) -> Deadline:
        """The end of the lease or of our claim, whichever is sooner, on our own clock."""
        left = (view.until - view.snap.now if view.until else FOREVER).total_seconds()
        return self.turn.fence.sooner(Deadline(view.looked_at.at + left))

    def _outcome_given(self, view: View, seen: Presence | None) -> Change:
        now, key = view.snap.now, view.hold.key
        change = Change(rests_on=(view.snap,))
        for grant in view.live:
            if seen and (grant.holds[key] is not HoldState.GIVEN or grant.trouble):
                change = joined(change, self._one_given(view, grant, seen))
        for grant in view.ending if view.live else ():
            change = joined(change, self._one_settled(view, grant, kept=True))
        record = replace(
            view.record,
            phase=Phase.GIVEN if view.live else Phase.GIVING,
            seen_at=now if seen and not self.claim.taken_over else view.record.seen_at,
            failures=0,
            failing_since=None,
            last_error=None,
            look_again=False,
        )
        done = Done(claim=self.claim, next_at=self._look_at(view) if view.live else now)
        return replace(change, put={**change.put, Key.of(HoldRecord, key): record}, done=done)

    def _look_at(self, view: View) -> datetime:
        """At the first end of a lease behind it, and now and then; soon where somebody may act late."""
        ends = [end for g in view.live if (end := view.snap.leases[g.id]) is not None]
        again = LOOK_AGAIN_AFTER if self.claim.taken_over else LOOK_EVERY
        return min([*ends, view.snap.now + again])

    def _one_given(self, view: View, grant: Grant, seen: Presence) -> Change:
        now = view.snap.now
        moved = grants.hold_given(grant, view.hold.key, now=now, had_before=view.record.untouchable)
        leases: tuple[Lease, ...] = ()
        became_active = moved.state is State.ACTIVE and grant.state is State.APPROVED
        waited = now - (grant.approved_at or now)
        if became_active and waited > SLOW_GIVE and grant.until and not grant.depends_on:
            moved = replace(moved, until=grant.until + waited)
            leases = (Lease(grant=grant.id, how="move", until=moved.until),)
        facts = {"hold": _named(view.hold), "seen": seen.value, "person": grant.person}
        entries = [Entry(what="given", grant=grant.id, facts=facts)]
        if became_active:
            entries.append(Entry(what="active", grant=grant.id, facts={"person": grant.person}))
        return Change(
            needs=(grant.id,),
            put={Key.of(Grant, grant.id): moved},
            leases=leases,
            due=(Due(member=f"card:{grant.id}", at=now),),
            audit=tuple(entries),
        )

    # ------------------------------------------------------------------------------------- clearing

    def _clear(self, view: View) -> None:
        seen = Presence.NONE
        if view.record.untouchable:
            seen = Presence.THEIRS
        elif view.record.phase is not Phase.EMPTY or self._left_behind(view):
            seen = self._taken(view)
        self._settle(lambda now: self._outcome_gone(now, seen))

    def _left_behind(self, view: View) -> bool:
        """After a claim was taken over: did the one we thought dead give after all?"""
        if not (view.record.look_again or self.claim.taken_over):
            return False
        seen = self.target(view.hold.target).has(view.hold, self.turn.call())
        return seen is Presence.OURS

    def _taken(self, view: View) -> Presence:
        self._note_taking(view)
        target = self.target(view.hold.target)
        if self.turn.fence.passed:
            raise Conflict
        target.take(view.hold, self.turn.call())
        seen = target.has(view.hold, self.turn.call())
        if seen in (Presence.OURS, Presence.UNKNOWN):
            raise TemporaryFailure(f"{view.hold.target} still shows it after taking it back")
        return seen

    def _note_taking(self, view: View) -> None:
        """Rests on the very look that found nobody behind the hold: a worker that slept since then, or
        an approval at this moment, makes it a Conflict and nothing is taken."""
        record, key = view.record, Key.of(HoldRecord, view.hold.key)
        if record.phase is not Phase.TAKING:
            record = replace(record, phase=Phase.TAKING, failures=0, failing_since=None)
        entries = (Entry(what="taking", facts={"hold": _named(view.hold)}),)
        audit = entries if view.record.phase is not Phase.TAKING else ()
        self.ledger.commit(Change(rests_on=(view.snap,), put={key: record}, audit=audit, frees=True))

    def _outcome_gone(self, view: View, seen: Presence) -> Change:
        now, key = view.snap.now, Key.of(HoldRecord, view.hold.key)
        change = Change(rests_on=(view.snap,), frees=True)
        if not view.live:
            for grant in view.ending:
                change = joined(change, self._one_settled(view, grant, kept=False, seen=seen))
        look_again = (self.claim.taken_over or view.record.look_again) and (
            view.record.phase is not Phase.EMPTY
        )
        next_at = now + LOOK_AGAIN_AFTER if look_again else None
        if view.live or view.over:
            next_at = now
        record = HoldRecord(hold=view.hold, look_again=True) if next_at else None
        return replace(change, put={**change.put, key: record}, done=Done(claim=self.claim, next_at=next_at))

    def _one_settled(self, view: View, grant: Grant, *, kept: bool, seen: Presence = Presence.NONE) -> Change:
        now, key = view.snap.now, view.hold.key
        keeper = max(view.live, key=lambda g: view.snap.leases[g.id] or now + FOREVER) if kept else None
        moved = grants.hold_settled(grant, key, now=now, kept_by=keeper.id if keeper else None)
        put: dict[Key, Document | None] = {Key.of(Grant, grant.id): moved}
        gone = moved.state is State.ENDED
        if gone:
            put.update(_freed(view.snap, grant, keeper))
        facts: dict[str, object] = {"hold": _named(view.hold), "person": grant.person}
        facts["kept_by" if keeper else "seen"] = keeper.id if keeper else seen.value
        entries = [Entry(what="kept" if keeper else "taken", grant=grant.id, facts=facts)]
        if gone:
            entries.append(Entry(what="ended", grant=grant.id, facts={"person": grant.person}))
        return Change(
            put=put,
            index={(name, grant.id): False for name in indexes(grant)} if gone else {},
            due=(Due(member=f"card:{grant.id}", at=now),),
            audit=tuple(entries),
            frees=True,
        )

    # -------------------------------------------------------------------------------------- failing

    def _failed(self, view: View, failure: Failure) -> Change:
        now = view.snap.now
        record = replace(
            view.record,
            failures=view.record.failures + 1,
            failing_since=view.record.failing_since or now,
            last_error=str(failure)[:300],
            look_again=view.record.look_again or self.claim.taken_over,
        )
        change = Change(rests_on=(view.snap,), frees=not view.live)
        for grant in (*view.live, *view.ending):
            change = joined(change, self._one_failed(view, record, grant, failure))
        wait = backoff(record.failures)
        if isinstance(failure, TemporaryFailure) and failure.retry_after:
            wait = max(wait, timedelta(seconds=min(failure.retry_after, 300)))
        given_up = isinstance(failure, PermanentFailure) and any(
            grant.state is State.APPROVED for grant in view.live
        )
        next_at = now if given_up else now + wait
        put = {**change.put, Key.of(HoldRecord, view.hold.key): record}
        return replace(change, put=put, done=Done(claim=self.claim, next_at=next_at))

    def _one_failed(self, view: View, record: HoldRecord, grant: Grant, failure: Failure) -> Change:
        if grant.state is State.APPROVED and isinstance(failure, PermanentFailure):
            return self._could_not_give(view, grant, failure)
        if grant.state in LIVE:
            moved = replace(grant, trouble=str(failure)[:300])
            told = moved != grant
        else:
            moved, told = _overdue(grant, record, failure, view.snap.now)
        if not told:
            return Change()
        change = Change(
            put={Key.of(Grant, grant.id): moved},
            due=(Due(member=f"card:{grant.id}", at=view.snap.now),),
        )
        if moved.overdue_since and not grant.overdue_since:
            return joined(change, self._alarm(view, moved))
        return change

    def _could_not_give(self, view: View, grant: Grant, failure: Failure) -> Change:
        moved = grants.hold_failed(grant, view.hold.key, trouble=str(failure)[:300])
        now = view.snap.now
        others = (hold for hold in grant.gives if hold.key != view.hold.key)
        facts = {"hold": _named(view.hold), "person": grant.person, "error": str(failure)[:300]}
        return Change(
            put={Key.of(Grant, grant.id): moved},
            leases=(Lease(grant=grant.id, how="drop"),),
            due=(
                *(Due(member=f"hold:{hold.key}", at=now) for hold in others),
                Due(member=f"card:{grant.id}", at=now),
            ),
            audit=(Entry(what="could not be given", grant=grant.id, facts=facts),),
            frees=True,
        )

    def _alarm(self, view: View, grant: Grant) -> Change:
        """The security channel hears of it now, and hourly for as long as it lasts."""
        now = view.snap.now
        entry = Entry(
            what="overdue",
            grant=grant.id,
            facts={"hold": _named(view.hold), "person": grant.person, "error": grant.trouble or ""},
        )
        alarm = Due(member=f"alarm:{grant.id}", at=now)
        return Change(due=(alarm,) if self.security_channel else (), audit=(entry,))

    def _settle(self, outcome: Callable[[View], Change]) -> None:
        """Commit what is to be written about what was done. The world may have moved meanwhile, so the
        change is made anew from each look; where the claim is lost, whoever has it looks at the hold."""
        for _ in range(10):
            view = self._look()
            if view is None:
                return
            change = outcome(view)
            if change.done:
                change = replace(change, due=_but(change.due, self.claim.member))
            try:
                self.ledger.commit(change)
            except Conflict:
                continue
            return
        self._arm()

    def _arm(self) -> None:
        now = self.ledger.read(()).now
        self.ledger.commit(Change(due=(Due(member=self.claim.member, at=now),), frees=True))


def _overdue(grant: Grant, record: HoldRecord, failure: Failure, now: datetime) -> tuple[Grant, bool]:
    trouble = str(failure)[:300]
    since = grant.overdue_since or (now if record.overdue else None)
    moved = replace(grant, trouble=trouble, overdue_since=since)
    return moved, moved != grant


def _hold_in(snap: Snapshot, key: str) -> Hold | None:
    every = (hold for grant in snap.all(Grant) for hold in grant.gives)
    return next((hold for hold in every if hold.key == key), None)


def _seats(behind: tuple[Grant, ...]) -> set[Key]:
    return {Key.of(Seat, grant.resource) for grant in behind if grant.seated}


def _freed(snap: Snapshot, grant: Grant, keeper: Grant | None) -> dict[Key, Document | None]:
    """The seat is free once *gone* was observed; it passes on where the same person's next grant of the
    resource goes on."""
    seat = snap.find(Seat, grant.resource)
    if seat is None or seat.grant != grant.id:
        return {}
    key = Key.of(Seat, grant.resource)
    if keeper and keeper.resource == grant.resource and keeper.person == grant.person:
        return {key: Seat(grant=keeper.id, person=keeper.person, until=keeper.until)}
    return {key: None}


def _but(due: tuple[Due, ...], member: str) -> tuple[Due, ...]:
    return tuple(each for each in due if each.member != member)


def _named(hold: Hold) -> str:
    return f"{hold.entitlement} for {hold.account}"


def alarm(ledger: Ledger, claim: Claim, channel: str | None, new_id: Callable[[], str]) -> None:
    """Tell the security channel that an access is overdue, and be due again in an hour while it is."""
    snap = ledger.read({Key.of(Grant, claim.id)})
    grant = snap.find(Grant, claim.id)
    if grant is None or grant.state is not State.ENDING or not grant.overdue_since or not channel:
        ledger.commit(Change(done=Done(claim=claim)))
        return
    reason = because(
        Why.OVERDUE,
        person=grant.person,
        resource=grant.resource,
        since_at=int(grant.overdue_since.timestamp()),
        trouble=grant.trouble or "",
    )
    note = Note(id=new_id(), channel=channel, reason=reason)
    ledger.commit(
        Change(
            put={Key.of(Note, note.id): note},
            due=(Due(member=f"note:{note.id}", at=snap.now),),
            done=Done(claim=claim, next_at=snap.now + TELL_OVERDUE_EVERY),
        )
    )
