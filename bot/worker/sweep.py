"""One sweep: access that is past its end is claimed and revoked as workers do it, beside them or without
them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core.holds import HoldRecord
from bot.ports.changes import OLDEST_FIRST, Claim, Claims, Order
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.ports.target import Target
from bot.usecases.access.batches import HoldBatches
from bot.usecases.access.reconcile import Reconciliation
from bot.usecases.access.sweep import (
    HeldLedger,
    Past,
    arm,
    how_it_ended,
    looked_at,
    out_of_reach,
    survey,
    take_back,
    write_down,
)
from bot.usecases.job import Job
from bot.worker.loop import Worker

NAMED = 1000
"""The most holds that are named in one call."""
LOOKED_AT = 100
"""The most holds that are looked at in one round, of those left while nothing can be claimed."""


class Sweep:
    """One sweep. ``target`` finds a target by name and raises PermanentFailure if it cannot be used here.
    Jobs under way at ``until`` are finished, and the rest is left."""

    def __init__(self, ledger: HeldLedger, target: Callable[[str], Target], until: Deadline) -> None:
        self._ledger = ledger
        self._target = target
        self._offer = _Offer(ledger, until)
        self._ends = HoldBatches(ledger, target, lambda job: Reconciliation(ledger, target, job))
        self._worker = Worker(
            self._offer, ledger, {"hold": self._take_back}, {"hold": _Many(self._ends, self._take_many)}
        )
        self._offer.enough, self._offer.idle = self.stop, lambda: self._worker.idle
        self.unreadable: tuple[Key, ...] = ()

    def run(self) -> list[Past]:
        """Revoke what is past its end, and return all of it, the oldest first, with the outcome. Raise
        TemporaryFailure if Redis is away."""
        found = survey(self._ledger)
        past, self.unreadable = found.past, found.unreadable
        arm(self._ledger, past.values())
        barred = {hold: why for hold, each in past.items() if (why := out_of_reach(self._target, each))}
        self._offer.past = {hold: each for hold, each in past.items() if hold not in barred}
        if self._offer.past:
            self._worker.run()
        swept = [looked_at(self._ledger, each) for each in self._offer.past.values() if each.still_there]
        swept += [each for each in self._offer.past.values() if not each.still_there]
        swept += [replace(past[hold], trouble=why) for hold, why in barred.items()]
        write_down(self._ledger, swept)
        return sorted(swept, key=lambda each: each.since)

    def stop(self) -> None:
        """Claim nothing more; jobs under way are finished. Safe in a signal handler."""
        self._worker.stop()

    def _take_many(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Revoke what is plainly over, which is nearly all, and return the rest. Access that was there before
        us is handled, and reported, one by one."""
        snap = self._ledger.read(Key.of(HoldRecord, job.claim.id) for job in jobs)
        theirs = {record.hold.key for record in snap.all(HoldRecord) if record.untouchable}
        left = [job for job in jobs if job.claim.id in theirs]
        if ours := [job for job in jobs if job.claim.id not in theirs]:
            left += self._ends.do(ours)
        others = {job.claim.member for job in left}
        for hold in (job.claim.id for job in jobs if job.claim.member not in others):
            past = looked_at(self._ledger, self._offer.past[hold])
            how = "" if past.still_there else how_it_ended(self._ledger, past)
            self._offer.past[hold] = replace(past, how=how) if how else past
        return left

    def _take_back(self, job: Job) -> None:
        hold = job.claim.id
        self._offer.past[hold] = take_back(self._ledger, self._target, job, self._offer.past[hold])


@dataclass(frozen=True)
class _Many:
    """The batches of a sweep. They never hurry: each result is looked at right after."""

    ends: HoldBatches
    take: Callable[[Sequence[Job]], Sequence[Job]]

    def do(self, jobs: Sequence[Job], *, hurry: bool) -> Sequence[Job]:  # noqa: ARG002 -- there is time
        return self.take(jobs)

    def waits(self, lane: str) -> float:
        return self.ends.waits(lane)

    def pressing(self, lane: str) -> bool:
        return self.ends.pressing(lane)

    def behind(self) -> Sequence[Job]:
        return self.ends.behind()

    def catch_up(self) -> None:
        self.ends.catch_up()


class _Offer:
    """The queue as the sweep's own worker has it: only what is past its end is due. Nudges are left to those
    they are meant for."""

    def __init__(self, ledger: HeldLedger, until: Deadline) -> None:
        self._ledger = ledger
        self._until = until
        self._over = threading.Event()
        self._turned = 0
        self.past: dict[str, Past] = {}
        self.enough: Callable[[], None] = lambda: None
        self.idle: Callable[[], bool] = lambda: True

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),  # noqa: ARG002 -- there is only one
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,  # noqa: ARG002 -- and nothing else waits
    ) -> Claims:
        if besides:
            return self._ledger.claim_these((), limit, share, busy)
        rest = timedelta(seconds=self._until.seconds_left())
        left = [hold for hold, past in tuple(self.past.items()) if past.still_there and past.pause < rest]
        if not left:
            self._over.set()
            self.enough()
            found = self._ledger.claim_these((), limit, share, busy)
            return replace(found, next_at=found.now)
        at = self._turned % len(left)  # each in its turn
        self._turned = at + NAMED
        named = (left[at:] + left[:at])[:NAMED]
        found = self._ledger.claim_these([f"hold:{each}" for each in named], limit, share, busy)
        if not found.claims and self.idle():
            for each in named[:LOOKED_AT]:
                self.past[each] = looked_at(self._ledger, self.past[each])
        return found

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        return self._ledger.renew(claims)
