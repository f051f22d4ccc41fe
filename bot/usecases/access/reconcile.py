"""Makes what is held at a target equal to what the live grants say: grant, look, revoke.

Nobody "revokes a grant": a grant loses its lease, and then the hold behind it is reconciled. What is about to
be done is written before it is done, and what was observed is written before it is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from bot.core.document import Document
from bot.core.errors import (
    FAILED_OVER,
    ClaimLost,
    Conflict,
    FailedOver,
    NotCopied,
    PermanentFailure,
    TemporaryFailure,
)
from bot.core.grants import Grant
from bot.core.hands import missing_after
from bot.core.holds import Absence, HoldRecord, Phase, Presence, Seen
from bot.ports.changes import Change, Claim, Done, Due, Entry
from bot.ports.documents import Key, Restore, TargetSystems
from bot.ports.ledger import Ledger
from bot.ports.target import Target
from bot.usecases.access import hands, outcomes
from bot.usecases.access.outcomes import LOOK_EVERY, Observed, hold_name
from bot.usecases.access.systems import accepted_for, first_name, note_system, receipts_moved
from bot.usecases.access.target_calls import TargetCalls, TargetFailed, calling
from bot.usecases.access.views import View, look
from bot.usecases.job import Job
from bot.usecases.retry import retry_conflicts

MOST_LOOKS = 10
RESTORED = (
    "Redis came back with older data: nothing is granted until somebody has checked what it forgot, with"
    " rotakey doctor"
)


class Reconciliation:
    """The reconciling of one claimed hold. ``target`` finds the target by name and raises PermanentFailure if
    it is not configured. ``names`` are those of all targets, in the order of access.yaml. ``former`` finds a
    target as it was before its address changed, None if that did not change; it is for revoking only."""

    def __init__(
        self,
        ledger: Ledger,
        target: Callable[[str], Target],
        job: Job,
        security_channel: str | None = None,
        names: Sequence[str] = (),
        former: Callable[[str], Target | None] = lambda _: None,
    ) -> None:
        self.ledger = ledger
        self.target = target
        self.job = job
        self.claim: Claim = job.claim
        self.security_channel = security_channel
        self.names = names
        self.former = former
        self._acted: HoldRecord | None = None

    def run(self, *, revoke_only: bool = False) -> bool:
        """Bring the hold one whole step further, and close the claim. A failure is written, and the hold is
        due again. Return False if there is only something to grant or to look at and ``revoke_only`` is set;
        then the claim is still open.

        If somebody else changed what this rests on, the hold is looked at again; if the claim has run out, it
        is left to the next who claims it.
        """
        for _ in range(MOST_LOOKS):
            if self.job.fence.is_over:
                return True
            try:
                return self._step(revoke_only=revoke_only)
            except ClaimLost:
                break
            except Conflict:
                continue
            except TargetFailed as raised:
                self._note_failure(raised)
                return True
        self._look_once_more()
        return True

    def _step(self, *, revoke_only: bool) -> bool:
        view, channel = self._look(), self.security_channel
        if view and view.over:
            self._commit(outcomes.ended_over(view))
            view = self._look()
        if view is None:
            self.ledger.commit(Change(done=Done(claim=self.claim)))
            return True
        self._accept_system(view)
        if view.live and revoke_only:
            return False
        if view.live and self.claim.taken_over and view.record.witness:
            # a claim was left open since the access was seen, so nothing proves that it was there; this is
            # written before anything else, because the next claim does not know of it
            without = {Key.of(HoldRecord, view.key): replace(view.record, witness=None)}
            view = self._commit_and_look(Change(rests_on=(view.own,), put=without, frees=True))
            if not view.live or view.record.witness:
                raise Conflict
        if view.live:
            seen = self._keep(view)
            if seen.missing:
                self._settle(lambda now: hands.change_if_missing(now, seen, self.claim))
            else:
                self._settle(lambda now: outcomes.change_if_given(now, seen, self.claim, channel))
        else:
            left, keeper = self._clear(view)
            self._settle(lambda now: outcomes.change_if_gone(now, left, self.claim, channel, keeper))
        return True

    def _look(self) -> View | None:
        return look(self.ledger, self.claim.id)

    def _commit_and_look(self, change: Change) -> View:
        """Commit what is about to be done, and return the hold as it is after that."""
        self.ledger.commit(change)
        fresh = self._look()
        if fresh is None:
            raise Conflict
        return fresh

    def _accept_system(self, view: View) -> None:
        """If the system that answers is the same one, as a person said, commit receipts that name it. Raises
        Conflict then, because the hold has to be looked at again."""
        said = {each.system: each for each in accepted_for(view.snap, view.record)}
        if not said:
            return
        try:
            self._calls(view).look(view)
        except TargetFailed as raised:
            seen = raised.seen
            answers = seen.system.id if seen and seen.system and _is_elsewhere(raised) else None
            if answers in said:
                self._commit(receipts_moved(view.own, view.record, answers, said[answers].by))
                raise Conflict("its receipts now name the system that answers") from raised

    def _calls(self, view: View) -> TargetCalls:
        return TargetCalls(self.target, view.hold.target, self.job)

    # ------------------------------------------------------------------------------------- keeping

    def _keep(self, view: View) -> Observed:
        target = self._calls(view)
        record, given_once = view.record, view.record.phase is Phase.GIVEN
        moved = target.knows_end and record.given_until != view.until
        if given_once and not moved and seen_lately(view):
            return Observed(seen=None, until=record.given_until)
        asked = record.receipts
        seen = target.look(view)
        if note_system(self.ledger, view.hold.target, seen.system, self.names, self.security_channel):
            raise Conflict("what is known about the system has changed")
        if given_once and not asked and seen.presence is Presence.NONE and (former := self._former(view)):
            seen = former.look(view)
        is_there = seen.presence in (Presence.OURS, Presence.THEIRS)
        if is_there and (given_once or record.untouchable):
            if moved and given_once and asked and not record.untouchable:
                return self._grant(target, self._note_granting(view, record.baseline or seen.presence))
            return Observed(seen=seen, until=record.given_until, asked=asked)
        if seen.presence is Presence.NONE and hands.may_be_missing(view, knows_end=target.knows_end):
            missing = missing_after(record, seen, view.losses, view.now)
            if missing.cause is Absence.TARGET:
                return replace(self._give(target, view, seen), again=True, cause=missing.cause)
            _nothing_lost(view)  # otherwise what it shows cannot be judged
            if missing.cause is Absence.LEDGER:  # it may have lost that the access was revoked
                self._commit(hands.end_after_loss(view))
                raise Conflict("its grants have ended")
            return Observed(seen=seen, until=None, asked=asked, missing=missing)
        again = given_once and seen.presence is Presence.NONE
        return replace(self._give(target, view, seen), again=again)

    def _give(self, target: TargetCalls, view: View, seen: Seen) -> Observed:
        """Grant it, unless somebody else had granted it before us. What identifies the grant is committed
        before it is made: a receipt that is written afterwards is lost in the very crash it is for."""
        record = view.record
        baseline = seen.presence if record.baseline is None or record.untouchable else record.baseline
        if baseline is Presence.THEIRS:
            if record.phase is not Phase.GIVEN or baseline is not record.baseline:
                self._note_granting(view, baseline)
            return Observed(seen=seen, until=None, asked=record.receipts)
        if other := first_name(view.snap, view.hold.target, self.names):
            raise TargetFailed(
                PermanentFailure(
                    f"{view.hold.target} is the same server as {other}: use one name for it in access.yaml"
                )
            )
        _nothing_lost(view)
        receipt = target.prepare(view)
        if receipt not in record.receipts:
            view = view.with_receipts((*record.receipts, receipt))
        return self._grant(target, self._note_granting(view, baseline))

    def _note_granting(self, view: View, baseline: Presence) -> View:
        """Commit what was there before us, and only then return, so that after a crash somebody else's access
        cannot be taken for ours, nor ours for theirs. A worker that slept commits nothing once no grant is
        live. Until the target has answered, and what it made was seen, nothing counts as seen after our last
        call."""
        _nothing_lost(view)
        key = Key.of(HoldRecord, view.key)
        giving_now = replace(view.record, phase=Phase.GIVING, baseline=baseline, witness=None, missing=None)
        entry = Entry(what="giving", facts={"hold": hold_name(view.hold), "baseline": baseline.value})
        giving = Change(
            rests_on=(view.own,),
            needs=(view.last.id,) if view.last else (),
            put={key: giving_now},
            audit=(entry,),
            copied=True,
        )
        try:
            fresh = self._commit_and_look(giving)
        except NotCopied as failure:
            raise TargetFailed(failure) from failure
        if not fresh.live or fresh.record.phase is not Phase.GIVING:
            raise Conflict
        return fresh

    def _grant(self, target: TargetCalls, view: View) -> Observed:
        _nothing_lost(view)
        self._acted = view.record
        return Observed(seen=target.grant(view), until=view.until, asked=view.record.receipts, granted=True)

    # ------------------------------------------------------------------------------------- clearing

    def _clear(self, view: View) -> tuple[Seen, Grant | None]:
        """Revoke it, unless it was there before us, or a live grant needs it under another name of the
        target. Return what the target showed, and that grant."""
        if view.record.untouchable:
            return Seen(presence=Presence.THEIRS), None
        if view.record.phase is Phase.EMPTY and not self._left_behind(view):
            return Seen(presence=Presence.NONE), None
        if keeper := self._needed_under(view):
            return Seen(presence=Presence.THEIRS), keeper

        # this rests on the very look that found nobody behind the hold, in case the worker slept since then;
        # anyone who is approved in this moment loses nothing
        if self._commit_and_look(outcomes.taking(view)).live:
            raise Conflict
        target = self._calls(view)
        if self.job.fence.is_over:
            raise Conflict
        self._acted = replace(view.record, phase=Phase.TAKING)
        try:
            if not view.record.receipts:
                view = self._identify(target, view)
            return self._revoke(target, view), None
        except TargetFailed as raised:
            if not view.record.by_hand:
                raise
            left = raised.seen or target.look(view)
            if not left.gone:
                raise
            return left, None

    def _revoke(self, target: TargetCalls, view: View) -> Seen:
        """Revoke at the target's address of today, and if that is another system, at its former one. If
        nothing can be seen there, the failure says that another system answers at the address of today. If
        today's does not answer, it may still be the same system: then the former one proves nothing."""
        try:
            return target.revoke(view)
        except TargetFailed as raised:
            elsewhere = _is_elsewhere(raised)
            former = self._former(view) if elsewhere or raised.seen is None else None
            if former is None:
                raise
            if not elsewhere:
                with suppress(TargetFailed):
                    former.revoke(view)
                raise
            try:
                return former.revoke(view)
            except TargetFailed as failed:
                if failed.seen is None:
                    failed.seen, failed.asked = raised.seen, raised.asked
                raise

    def _former(self, view: View) -> TargetCalls | None:
        """Return the target at its former address, or None if its address has not changed. Raises
        TargetFailed if the settings of then cannot be used."""
        with calling():
            found = self.former(view.hold.target)
        return TargetCalls(lambda _: found, view.hold.target, self.job) if found else None

    def _identify(self, target: TargetCalls, view: View) -> View:
        """Give a hold from before receipts the ones it should have, if it is certainly ours. Raises
        TargetFailed if somebody else's access is there: an older version did not write down whose it was."""
        seen, former = target.look(view), self._former(view)
        if seen.presence is Presence.NONE and former:
            seen = former.look(view)
        receipts = seen.receipts
        if seen.presence is Presence.THEIRS:
            raise TargetFailed(
                PermanentFailure(
                    f"{view.hold.target} shows {hold_name(view.hold)}, granted by"
                    f" {seen.grantor or 'somebody'}. That may have been Rotakey with another login: if so,"
                    " revoke it there by hand"
                ),
                seen,
            )
        if seen.presence is Presence.NONE:
            with suppress(TargetFailed):  # the account or role is gone, and with it the access
                receipts = (target.prepare(view),)
        if not receipts:
            return view
        key = Key.of(HoldRecord, view.key)
        fresh = self._look()
        if fresh is None or fresh.live:
            raise Conflict
        kept = fresh.with_receipts(receipts)
        self.ledger.commit(Change(rests_on=(fresh.snap,), put={key: kept.record}, frees=True))
        return kept

    def _needed_under(self, view: View) -> Grant | None:
        """Return the live grant that needs this very access under another name of the same running system,
        where it will be revoked. Both are asked which system they are: a server may have been restarted
        since."""
        systems = view.snap.find(TargetSystems)
        for other in systems.relatives(view.hold.target) if systems else ():
            twin = look(self.ledger, view.hold.under(other).key)
            if twin and twin.live and not twin.record.untouchable and twin.record.phase is not Phase.EMPTY:
                try:
                    here, there = (
                        TargetCalls(self.target, each.hold.target, self.job) for each in (view, twin)
                    )
                    if here.look(view).system == there.look(twin).system:
                        return twin.last
                except TargetFailed:  # access that nobody may need is revoked rather than kept
                    continue
        return None

    def _left_behind(self, view: View) -> bool:
        """Return whether access of ours is there although the hold is empty: after a claim was taken over,
        its earlier owner may have granted late."""
        if not (view.record.look_again or self.claim.taken_over):
            return False
        try:
            seen = self._calls(view).look(view)
        except TargetFailed as raised:
            former = self._former(view) if _is_elsewhere(raised) else None
            if former is None:
                raise
            seen = former.look(view)
        return seen.presence in (Presence.OURS, Presence.USELESS)

    # ------------------------------------------------------------------------------------- writing

    def write_taken(self, record: HoldRecord, left: Seen) -> None:
        """Write what was left after it was revoked on this very claim, as noted in ``record``, and close the
        claim."""
        self._acted = record
        self._settle(lambda view: outcomes.change_if_gone(view, left, self.claim, self.security_channel))

    def write_failed(self, record: HoldRecord, raised: TargetFailed) -> None:
        """Write that a call to the target failed on this very claim, and close the claim. ``record`` is the
        hold as it was then."""
        self._acted = record
        self._note_failure(raised)

    def _note_failure(self, raised: TargetFailed) -> None:
        def failure_change(view: View) -> Change:
            seen = raised.seen if view.record.receipts == raised.asked else None
            return outcomes.change_if_failed(view, raised.failure, seen, self.claim)

        self._settle(failure_change)

    def _settle(self, outcome: Callable[[View], Change]) -> None:
        """Commit what is to be written about what was done. The world may have moved meanwhile, so the change
        is made again from each look. If the claim is lost, its next owner looks at the hold."""
        for _ in range(MOST_LOOKS):
            view = self._look()
            if view is None:
                break
            try:
                self._commit(outcome(view))
            except ClaimLost:
                break
            except Conflict:
                continue
            return
        self._look_once_more()

    def _commit(self, change: Change) -> None:
        self.ledger.commit(outcomes.done_here(change, self.claim))

    def _look_once_more(self) -> None:
        """Owe one more look, because the claim was lost to somebody who did not know what we would still do
        at the target. The next owner of the claim looks there, and revokes what we granted too late."""

        def attempt() -> None:
            key = Key.of(HoldRecord, self.claim.id)
            snap = self.ledger.read({key})
            record = snap.find(HoldRecord, self.claim.id)
            if record and self._acted:
                record = replace(record, seen_at=None, look_again=True, witness=None)
            elif self._acted and self._acted.phase is not Phase.TAKING:
                record = self._acted
            put: dict[Key, Document | None] = {key: record} if record else {}
            due = (Due(member=self.claim.member, at=snap.now),)
            self.ledger.commit(Change(rests_on=(snap,), put=put, due=due, frees=True))

        retry_conflicts(attempt)


def _is_elsewhere(raised: TargetFailed) -> bool:
    return raised.seen is not None and raised.seen.presence is Presence.ELSEWHERE


def _nothing_lost(view: View) -> None:
    """Raise TargetFailed while it is not known what a Redis that came back older, or took over, has
    forgotten."""
    if not view.snap.compared:
        raise TargetFailed(FailedOver(FAILED_OVER))
    if view.snap.find(Restore):
        raise TargetFailed(TemporaryFailure(RESTORED))


def seen_lately(view: View) -> bool:
    """Return whether it was seen not long ago, and nobody new stands behind it."""
    seen_at = view.record.seen_at
    return not view.has_news and seen_at is not None and view.now - seen_at < LOOK_EVERY
