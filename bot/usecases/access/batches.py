"""Revokes many holds at once that are plainly over, and looks at many that should be there: the steps of a
Reconciliation, each one round trip for all.

Plain is what the end of a lease leaves behind: nobody live behind the hold, and nothing unusual about it.
Everything else, and everything that goes wrong, is left to a Reconciliation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from math import inf
from threading import Lock, Timer
from time import monotonic
from typing import TypeVar

from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant, HoldState
from bot.core.holds import HoldRecord, Phase, Presence, Seen
from bot.ports.changes import Change, Committed, Done
from bot.ports.deadline import Deadline
from bot.ports.documents import TargetSystems
from bot.ports.ledger import Ledger
from bot.ports.target import Target
from bot.usecases.access import outcomes
from bot.usecases.access.outcomes import LOOK_EVERY, Observed
from bot.usecases.access.reconcile import Reconciliation, seen_lately
from bot.usecases.access.target_calls import TargetCalls, TargetFailed
from bot.usecases.access.views import View, query, view_of
from bot.usecases.job import Job

WRITE_AFTER = 0.2
"""Seconds after which a batch writes down what it has revoked before it goes on; in a hurry it does not."""

WRITE_WITHIN = 5.0
"""Seconds after which revoked holds are written down even in a hurry."""

WRITTEN_AT_ONCE = 64
"""Revoked holds that are written down in one round trip."""

MOST_BEHIND = 8_000
"""Revoked holds that may wait to be written down: some ten kilobytes each."""

PUT_OFF_FOR, PUT_OFF_OVER = timedelta(seconds=30), 60
"""The delay of a look for which there is no time in a hurry, and the seconds over which such looks are spread
on top of it: otherwise they would all come back at once."""

MANY = 4
"""The size from which a batch shows whether most of what is coming cannot wait."""

LOTS_REMEMBERED = 8
"""Batches from which it is judged how quick a target is."""

LASTS = 1.0
"""Seconds after which a batch hands back what it has not begun."""

REFUSES_WITHIN = 0.2
"""Seconds. If a target fails sooner, it is asked about the next hold at once; if it is slow to fail, it is
not."""

MOST_LOOKS = 3
"""Looks at holds that others write about at the same moment: two of one grant, for example."""

THEIRS = Seen(presence=Presence.THEIRS)
"""The stand-in for a look at access that was there before us: it is left there, and not looked at."""

Looked = tuple[Job, View | None]


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A hold that should be there, and is only looked at."""

    job: Job
    view: View

    def change_if_seen(self, seen: Seen) -> Change:
        """Return what to write if it is there, as it should be."""
        record, claim = self.view.record, self.job.claim
        observed = Observed(seen=seen, until=record.given_until, asked=record.receipts)
        return outcomes.done_here(outcomes.change_if_given(self.view, observed, claim), claim)


@dataclass(frozen=True, kw_only=True)
class Noted:
    """A hold that was noted as being revoked: by ``change``, after a look that gave ``seen``."""

    job: Job
    seen: View
    change: Change
    receipt: Committed

    @cached_property
    def view(self) -> View:
        """Return the view as it was written."""
        seen, put = self.seen, self.change.put
        documents = {**seen.snap.documents, **{key: each for key, each in put.items() if each}}
        versions = {**seen.snap.versions, **dict.fromkeys(put, self.receipt.version)}
        snap = replace(seen.snap, now=self.receipt.now, documents=documents, versions=versions)
        return view_of(seen.key, snap, seen.looked_at) or seen

    def change_if_gone(self, left: Seen, now: datetime) -> Change:
        """Return what to write if nothing is left. ``left`` is what the target showed after revoking."""
        view = replace(self.view, snap=replace(self.view.snap, now=now))
        return outcomes.done_here(outcomes.change_if_gone(view, left, self.job.claim), self.job.claim)


W = TypeVar("W", Plain, Noted)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A hold that was revoked. ``left`` is what the target showed afterwards, at the moment ``at`` of our own
    clock."""

    noted: Noted
    left: Seen
    at: float = field(default_factory=monotonic)


class HoldBatches:
    """Implements Batches; threads share it. ``reconciliation`` makes the Reconciliation that does a single
    job in full. ``follow`` brings the targets to the policy in force. ``unwritten`` is called with the reason
    if the outcome of a job could not be written down."""

    def __init__(
        self,
        ledger: Ledger,
        target: Callable[[str], Target],
        reconciliation: Callable[[Job], Reconciliation],
        follow: Callable[[], object] = lambda: None,
        unwritten: Callable[[Job, Exception], object] = lambda *_: None,
    ) -> None:
        self.ledger = ledger
        self.target = target
        self.reconciliation = reconciliation
        self.follow = follow
        self.unwritten = unwritten
        self._waits: dict[str, deque[float]] = {}
        self._pressing: dict[str, bool] = {}
        self._taken: deque[Taken] = deque()
        self._lock = Lock()

    def do(self, jobs: Sequence[Job], *, hurry: bool = False) -> list[Job]:
        """Revoke what is plainly over, look at what should be there, and close those claims. Return the jobs
        that are neither closed nor ``behind``.

        If the target is slow, or slow to fail, the rest is due again for any thread that is free: no job
        waits long for others that happened to be claimed before it.
        """
        self.follow()
        noted, others = self._note_ends(jobs)
        lane = jobs[0].claim.lane
        if len(jobs) >= MANY:
            self._pressing[lane] = 2 * len(noted) >= len(jobs)
        theirs = [Taken(noted=each, left=THEIRS) for each in noted if each.seen.record.untouchable]
        waiting = deque(each for each in noted if not each.seen.record.untouchable)
        with self._relief(waiting):
            self._take(waiting, theirs, lane, hurry=hurry)
        if not hurry:
            return self._look_at(others)

        # a look can wait if the last one is not long ago
        later: dict[Job, Change] = {}
        for job, view in others:
            seen_at = view.record.seen_at if view else None
            if view and seen_at and view.now - seen_at <= 2 * LOOK_EVERY and _only_looked_at(job, view):
                pause = PUT_OFF_FOR + timedelta(seconds=job.claim.fence % PUT_OFF_OVER)
                next_at = outcomes.soonest(view, view.now + pause)
                later[job] = Change(done=Done(claim=job.claim, next_at=next_at), frees=True)
        if later:
            self.ledger.commit_all(list(later.values()))
        return [job for job, _ in others if job not in later]

    def pressing(self, lane: str) -> bool:
        return self._pressing.get(lane, False)

    def waits(self, lane: str) -> float:
        """Return the seconds for one call, as in the quickest of the last batches, because threads that wait
        for each other make a target look slow. A target that was never called counts as slow."""
        with self._lock:
            return min(self._waits.get(lane, ()), default=inf)

    def behind(self) -> list[Job]:
        with self._lock:
            return [each.noted.job for each in self._taken]

    def catch_up(self) -> None:
        """Write down all that is ``behind``, as long as Redis answers. If anything goes wrong, it is left to
        the next owner of those claims."""
        while (some := self._next(WRITTEN_AT_ONCE)) and self._write_down(some):
            pass

    def _take(self, waiting: deque[Noted], taken: list[Taken], lane: str, *, hurry: bool) -> None:
        """Revoke the ``waiting`` holds, and write down the outcome; also for those that are ``taken``
        already."""
        took = list[float]()
        write_at = Deadline.after(WRITE_AFTER)
        try:
            for each, left, seconds in self._answers(waiting, lambda calls, each: calls.revoke(each.seen)):
                took.append(seconds)
                taken.append(Taken(noted=each, left=left))
                if write_at.is_over and not hurry:
                    self._write(taken)
                    taken, write_at = [], Deadline.after(WRITE_AFTER)
        finally:
            if took:
                with self._lock:
                    waits = self._waits.setdefault(lane, deque(maxlen=LOTS_REMEMBERED))
                    waits.append(sorted(took)[len(took) // 4])
            self._write(taken, hurry=hurry)

    def _look_at(self, looked: Sequence[Looked]) -> list[Job]:
        """Look at what should be there. Return the jobs of everything else, and of what is not as it should
        be. While Redis is away, the claims of what was seen run out."""
        waiting = deque(
            Plain(job=job, view=view)
            for job, view in looked
            if view and _only_looked_at(job, view) and not seen_lately(view)
        )
        plain = {each.job for each in waiting}
        left = [job for job, _ in looked if job not in plain]
        there: list[tuple[Plain, Seen]] = []
        with self._relief(waiting):
            for each, shown, _ in self._answers(waiting, lambda calls, each: calls.look(each.view)):
                systems = each.view.snap.find(TargetSystems)
                known = systems.found.get(each.view.hold.target) if systems else None
                if shown.presence in (Presence.OURS, Presence.THEIRS) and shown.system == known:
                    there.append((each, shown))
                else:
                    left.append(each.job)
        if not there:
            return left

        jobs = [each.job for each, _ in there]
        try:
            done = self._commit_batch(jobs, lambda: [each.change_if_seen(shown) for each, shown in there])
        except TemporaryFailure as failure:
            self.unwritten(jobs[0], failure)
            return left
        return left + [job for job in jobs if job not in done]

    def _commit_batch(self, jobs: Sequence[Job], changes: Callable[[], Sequence[Change]]) -> set[Job]:
        """Return the jobs whose change was written. If anything unforeseen happens, return none: one of them
        may be to blame, and each is then done on its own. Raises TemporaryFailure."""
        try:
            written = self.ledger.commit_all(changes())
        except TemporaryFailure:
            raise
        except Exception as fault:  # noqa: BLE001 -- see above
            self.unwritten(jobs[0], fault)
            return set()
        return {job for job, how in zip(jobs, written, strict=True) if isinstance(how, Committed)}

    def _answers(
        self, waiting: deque[W], ask: Callable[[TargetCalls, W], Seen]
    ) -> Iterator[tuple[W, Seen, float]]:
        """Call the target for one after the other, and yield what it shows and how many seconds that took. A
        failure is written down. If the target is slow to fail, or somebody else may have the claims by now,
        the rest is handed back."""
        while (each := _next(waiting)) is not None:
            if each.job.fence.is_over:
                self._hand_back([each, *_all(waiting)])
                break
            began = monotonic()
            try:
                shown = ask(TargetCalls(self.target, each.view.hold.target, each.job), each)
            except TargetFailed as raised:
                go_on = monotonic() - began <= REFUSES_WITHIN
                try:
                    self.reconciliation(each.job).write_failed(each.view.record, raised)
                except TemporaryFailure as failure:  # Redis is away: the claim runs out
                    self.unwritten(each.job, failure)
                    go_on = False
                if not go_on:
                    self._hand_back(_all(waiting))
                continue
            yield each, shown, monotonic() - began

    @contextmanager
    def _relief(self, waiting: deque[W]) -> Iterator[None]:
        """Hand back what still waits after LASTS seconds, even while a call hangs."""
        if len(waiting) < 2:
            yield
            return
        relief = Timer(LASTS, lambda: self._hand_back(_all(waiting)))
        relief.daemon = True
        relief.start()
        try:
            yield
        finally:
            relief.cancel()

    def _note_ends(self, jobs: Sequence[Job]) -> tuple[list[Noted], list[Looked]]:
        """Commit which grants are over and what is about to be revoked, in one commit for each hold. Return
        those holds, and all others. What two holds of one grant write is written one after the other."""
        noted: list[Noted] = []
        others: list[Looked] = []
        left = list(jobs)
        for _ in range(MOST_LOOKS):
            looked_at = Deadline.after(0)
            snaps = self.ledger.read_all([query(job.claim.id) for job in left])
            plain: list[tuple[Job, View, Change]] = []
            for job, snap in zip(left, snaps, strict=True):
                view = view_of(job.claim.id, snap, looked_at)
                if view is None or not _plainly_over(job, view):
                    others.append((job, view))
                    continue
                change = outcomes.ended_over(view)
                if not view.record.untouchable:
                    change = change.plus(outcomes.taking(view))
                members = {f"hold:{view.key}": _behind(view)}  # nobody has come to stand behind it
                change = replace(change, rests_on=(view.snap,), members=members)
                plain.append((job, view, outcomes.done_here(change, job.claim)))

            written = self.ledger.commit_all([change for _, _, change in plain]) if plain else ()
            left = []
            for (job, view, change), receipt in zip(plain, written, strict=True):
                if isinstance(receipt, Committed):
                    noted.append(Noted(job=job, seen=view, change=change, receipt=receipt))
                else:  # a grant may have come to stand behind the hold since the look
                    left.append(job)
            if not left:
                break
        return noted, [*others, *((job, None) for job in left)]

    def _write(self, taken: Sequence[Taken], *, hurry: bool = False) -> None:
        """Write down what was revoked. In a hurry that is left for later, but not for long; otherwise up to
        as much again of what was left is written, too."""
        with self._lock:
            self._taken.extend(taken)
            since = self._taken[0].at if self._taken else inf
            hurry = hurry and len(self._taken) < MOST_BEHIND and monotonic() - since < WRITE_WITHIN
        most = 0 if hurry else 2 * len(taken)
        while most > 0 and (some := self._next(min(most, WRITTEN_AT_ONCE))) and self._write_down(some):
            most -= len(some)

    def _next(self, most: int) -> list[Taken]:
        """Return those that were revoked first. No other thread has them from now on."""
        with self._lock:
            return [self._taken.popleft() for _ in range(min(most, len(self._taken)))]

    def _write_down(self, some: Sequence[Taken]) -> bool:
        """Write these down. Return False if Redis is away; then they are kept, as long as nobody else has
        their claims."""
        left = deque(some)
        # people have to be notified of the others
        plain = [each for each in some if each.left.presence is Presence.NONE or each.left is THEIRS]
        try:
            if plain:
                now = self.ledger.read().now
                done = self._commit_batch(
                    [each.noted.job for each in plain],
                    lambda: [each.noted.change_if_gone(each.left, now) for each in plain],
                )
                left = deque(each for each in some if each.noted.job not in done)
            while left:
                noted = left[0].noted
                try:
                    self.reconciliation(noted.job).write_taken(noted.view.record, left[0].left)
                except TemporaryFailure:
                    raise
                except Exception as fault:  # noqa: BLE001 -- its claim runs out, and it is done alone
                    self.unwritten(noted.job, fault)
                left.popleft()
        except TemporaryFailure as failure:
            self.unwritten(left[0].noted.job, failure)
            with self._lock:
                self._taken.extendleft(each for each in reversed(left) if not each.noted.job.deadline.is_over)
            return False
        return True

    def _hand_back(self, waited: Sequence[Plain | Noted]) -> None:
        """Make these due again at once. If a claim has run out meanwhile, somebody else has it already, and
        nothing is done."""
        closing = [
            Change(done=Done(claim=each.job.claim, next_at=each.view.now), frees=True) for each in waited
        ]
        with suppress(TemporaryFailure):  # then their claims run out
            self.ledger.commit_all(closing)


def _next(waiting: deque[W]) -> W | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _all(waiting: deque[W]) -> list[W]:
    found = []
    while (each := _next(waiting)) is not None:
        found.append(each)
    return found


def _plainly_over(job: Job, view: View) -> bool:
    record = view.record
    systems = view.snap.find(TargetSystems)
    shared = systems and systems.relatives(view.hold.target)
    if not record.untouchable and (shared or not record.receipts):
        return False
    if job.claim.taken_over or record.look_again or record.failures or record.phase is Phase.EMPTY:
        return False
    return bool(view.over or view.ending) and view.snap.leases.keys().isdisjoint(_behind(view))


def _only_looked_at(job: Job, view: View) -> bool:
    """Return whether all is as it should be, as far as is known, so that only a look is due."""
    if not view.live or view.over or view.ending:
        return False
    record = view.record
    at_rest = HoldRecord(
        hold=record.hold,
        phase=Phase.GIVEN,
        baseline=record.baseline,
        receipts=record.receipts,
        given_until=view.until,
        seen_at=record.seen_at,
        witness=record.witness,
        losses=record.losses,
    )
    if job.claim.taken_over or record != at_rest:
        return False
    return all(g.holds[view.key] is HoldState.GIVEN and not g.trouble for g in view.live)


def _behind(view: View) -> tuple[str, ...]:
    """Return the grants in the index of the hold as it was read, including unreadable ones."""
    others = {grant.id for grant in view.snap.all(Grant) if view.key not in grant.holds}
    read = (key.id for key in view.snap.versions if key.kind == "grant")
    return tuple(each for each in read if each not in others)
