"""Making what is held at a target equal to what the live grants say: give, look, take.

Nobody "revokes a grant": a grant loses its lease, and then the hold behind it is converged. What is
about to be done is written before it is done, and what was observed is written before it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.core.errors import FAILED_OVER, Conflict, FailedOver, NotCopied, TemporaryFailure
from bot.core.grants import HoldState
from bot.core.holds import HoldRecord, Phase, Presence
from bot.ports import (
    Change,
    Claim,
    Document,
    Done,
    Due,
    Entry,
    Key,
    Ledger,
    Restore,
    Snapshot,
    Target,
)
from bot.usecases import outcomes
from bot.usecases.attempts import settled
from bot.usecases.outcomes import LOOK_EVERY, Failure, Observed, named
from bot.usecases.reach import Reach, TargetFailed
from bot.usecases.turn import Turn
from bot.usecases.views import View, look

MOST_LOOKS = 10
RESTORED = (
    "Redis came back older than it was: nothing is given until somebody has looked at what it forgot"
    " (rotakey doctor)"
)


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
        self._acted: HoldRecord | None = None

    def run(self) -> None:
        """Bring the hold one whole step on, and close the claim. What fails is written and due again.

        Where somebody else changed what this rests on, it is looked at anew; where the claim has run
        out, it is left to whoever claims it next.
        """
        for _ in range(MOST_LOOKS):
            if self.turn.fence.passed:
                return
            try:
                self._step()
            except Conflict:
                continue
            except TargetFailed as raised:
                self._note_failure(raised.failure)
            return
        self._look_once_more()

    def _step(self) -> None:
        view = self._look()
        if view and view.over:
            self._commit(outcomes.ended_over(view))
            view = self._look()
        if view is None:
            self.ledger.commit(Change(done=Done(claim=self.claim)))
        elif view.live:
            seen = self._keep(view)
            self._settle(lambda now: outcomes.given(now, seen, self.claim, self.security_channel))
        else:
            left = self._clear(view)
            self._settle(lambda now: outcomes.gone(now, left, self.claim))

    def _look(self) -> View | None:
        return look(self.ledger, self.claim.id)

    def _reach(self, view: View) -> Reach:
        return Reach(self.target, view.hold.target, self.turn)

    # ------------------------------------------------------------------------------------- keeping

    def _keep(self, view: View) -> Observed:
        target = self._reach(view)
        record, given_once = view.record, view.record.phase is Phase.GIVEN
        if given_once and not record.untouchable and target.keeps_end and record.given_until != view.until:
            return self._give(target, view)
        if given_once and _seen_lately(view):
            return Observed(presence=None, until=record.given_until)
        seen = target.has(view)
        if seen is not Presence.NONE and (given_once or record.untouchable):
            return Observed(presence=seen, until=record.given_until)
        baseline = seen if record.baseline is None or record.untouchable else record.baseline
        if not given_once or baseline is not record.baseline:
            view = self._note_giving(view, baseline)
        return replace(self._give(target, view), again=given_once)

    def _note_giving(self, view: View, baseline: Presence) -> View:
        """What was there before us is committed before giving: after a crash it cannot be taken for ours,
        nor ours for theirs. A worker that slept writes nothing once nobody is live any more."""
        _nothing_lost(view)
        key = Key.of(HoldRecord, view.key)
        own = Snapshot(now=view.now, versions={key: view.snap.versions.get(key, 0)})
        entry = Entry(what="giving", facts={"hold": named(view.hold), "baseline": baseline.value})
        giving = Change(
            rests_on=(own,),
            needs=(view.last.id,) if view.last else (),
            put={key: replace(view.record, phase=Phase.GIVING, baseline=baseline)},
            audit=(entry,),
            copied=True,
        )
        try:
            self.ledger.commit(giving)
        except NotCopied as failure:
            raise TargetFailed(failure) from failure
        fresh = self._look()
        if fresh is None or not fresh.live or fresh.record.phase is not Phase.GIVING:
            raise Conflict
        return fresh

    def _give(self, target: Reach, view: View) -> Observed:
        if view.record.untouchable:
            return Observed(presence=view.record.baseline, until=None)
        _nothing_lost(view)
        self._acted = view.record
        return Observed(presence=target.give(view), until=view.until)

    # ------------------------------------------------------------------------------------- clearing

    def _clear(self, view: View) -> Presence:
        if view.record.untouchable:
            return Presence.THEIRS
        if view.record.phase is Phase.EMPTY and not self._left_behind(view):
            return Presence.NONE
        self._note_taking(view)
        target = self._reach(view)
        if self.turn.fence.passed:
            raise Conflict
        self._acted = replace(view.record, phase=Phase.TAKING)
        try:
            return target.take(view)
        except TargetFailed:
            if not view.record.by_hand or (left := target.has(view)) in (Presence.OURS, Presence.UNKNOWN):
                raise
            return left

    def _left_behind(self, view: View) -> bool:
        """After a claim was taken over: did the one we thought dead give after all?"""
        if not (view.record.look_again or self.claim.taken_over):
            return False
        return self._reach(view).has(view) is Presence.OURS

    def _note_taking(self, view: View) -> None:
        """Rests on the very look that found nobody behind the hold, for a worker that slept since then; and
        whoever was approved in this moment loses nothing."""
        self.ledger.commit(outcomes.taking(view))
        fresh = self._look()
        if fresh is None or fresh.live:
            raise Conflict

    # ------------------------------------------------------------------------------------- writing

    def write_taken(self, record: HoldRecord, left: Presence) -> None:
        """Somebody took it on this very claim, having noted so in ``record``: write what was left, and close
        the claim."""
        self._acted = record
        self._settle(lambda view: outcomes.gone(view, left, self.claim))

    def write_failed(self, record: HoldRecord, failure: Failure) -> None:
        """Somebody could not take it on this very claim: write so, and close the claim."""
        self._acted = record
        self._note_failure(failure)

    def _note_failure(self, failure: Failure) -> None:
        self._settle(lambda view: outcomes.failed(view, failure, self.claim))

    def _settle(self, outcome: Callable[[View], Change]) -> None:
        """Commit what is to be written about what was done. The world may have moved meanwhile, so the
        change is made anew from each look; where the claim is lost, whoever has it looks at the hold."""
        for _ in range(MOST_LOOKS):
            view = self._look()
            if view is None:
                break
            try:
                self._commit(outcome(view))
            except Conflict:
                continue
            return
        self._look_once_more()

    def _commit(self, change: Change) -> None:
        self.ledger.commit(outcomes.done_here(change, self.claim))

    def _look_once_more(self) -> None:
        """The claim was lost to somebody who did not know what we would still do at the target: whoever is
        next is to look there, and takes back what we gave too late."""
        settled(self._owe_a_look)

    def _owe_a_look(self) -> None:
        key = Key.of(HoldRecord, self.claim.id)
        snap = self.ledger.read({key})
        record = snap.find(HoldRecord, self.claim.id)
        if record and self._acted:
            record = replace(record, seen_at=None, look_again=True)
        elif self._acted and self._acted.phase is not Phase.TAKING:
            record = self._acted
        put: dict[Key, Document | None] = {key: record} if record else {}
        due = (Due(member=self.claim.member, at=snap.now),)
        self.ledger.commit(Change(rests_on=(snap,), put=put, due=due, frees=True))


def _nothing_lost(view: View) -> None:
    """Raises TargetFailed while it is not known what a Redis that came back older, or took over, has
    forgotten."""
    if not view.snap.compared:
        raise TargetFailed(FailedOver(FAILED_OVER))
    if view.snap.find(Restore):
        raise TargetFailed(TemporaryFailure(RESTORED))


def _seen_lately(view: View) -> bool:
    """It was seen not long ago, and nobody new stands behind it."""
    pending = any(g.holds[view.key] is not HoldState.GIVEN for g in view.live)
    seen_at = view.record.seen_at
    return not pending and seen_at is not None and view.now - seen_at < LOOK_EVERY
