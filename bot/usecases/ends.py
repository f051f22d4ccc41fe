"""Taking back many at once what is plainly over: the steps of a Convergence, each one round trip for all.

Plain is what the end of a lease leaves behind: nobody live behind the hold, and nothing unusual about it.
Whatever else there is, and whatever goes wrong, is a Convergence's own to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Timer

from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant
from bot.core.holds import Phase, Presence
from bot.ports import Change, Deadline, Done, Ledger, Receipt, Target
from bot.usecases import outcomes
from bot.usecases.converge import Convergence
from bot.usecases.finish import joined
from bot.usecases.reach import Reach, TargetFailed
from bot.usecases.turn import Turn
from bot.usecases.views import View, seen, wanted

WRITE_AFTER = 0.2
"""Seconds after which what was taken is written down, though more is being taken."""

LASTS = 1.0
"""Seconds after which what was not begun is handed back."""


@dataclass(frozen=True, kw_only=True)
class Noted:
    """A hold of which it is written that it is being taken; ``view`` is as it was written."""

    turn: Turn
    view: View

    def gone(self, left: Presence, now: datetime) -> Change:
        """``left`` is what the target showed after the take."""
        view = replace(self.view, snap=replace(self.view.snap, now=now))
        return outcomes.done_here(outcomes.gone(view, left, self.turn.claim), self.turn.claim)


class Ends:
    """``convergence`` makes what does a single turn in full."""

    def __init__(
        self, ledger: Ledger, target: Callable[[str], Target], convergence: Callable[[Turn], Convergence]
    ) -> None:
        self.ledger = ledger
        self.target = target
        self.convergence = convergence

    def take_back(self, turns: Sequence[Turn]) -> list[Turn]:
        """Take what is plainly over and close those claims; answers the turns that are not closed.

        Where the target fails, or is slow, the rest is due again for whoever is free: nobody waits long
        for what happened to be claimed before them.
        """
        noted, others = self._note(turns)
        waiting = deque(noted)
        with self._relieved(waiting):
            self._take(waiting)
        return others

    def _take(self, waiting: deque[Noted]) -> None:
        taken: list[tuple[Noted, Presence]] = []
        write_at = Deadline.after(WRITE_AFTER)
        while (each := _next(waiting)) is not None:
            if each.turn.fence.passed:
                self._hand_back([each, *_all(waiting)])
                break
            try:
                left = Reach(self.target, each.view.hold.target, each.turn).take(each.view)
            except TargetFailed as raised:
                self.convergence(each.turn).write_failed(each.view.record, raised.failure)
                self._hand_back(_all(waiting))
                break
            taken.append((each, left))
            if write_at.passed:
                self._write(taken)
                taken, write_at = [], Deadline.after(WRITE_AFTER)
        self._write(taken)

    @contextmanager
    def _relieved(self, waiting: deque[Noted]) -> Iterator[None]:
        """What still waits when the time is up is handed back, though a call may hang just then."""
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

    def _note(self, turns: Sequence[Turn]) -> tuple[list[Noted], list[Turn]]:
        """Whose time is over, and what is about to be taken, in one commit for each hold. It rests on nobody
        having come to stand behind the hold since the look."""
        looked_at = Deadline.after(0)
        snaps = self.ledger.read_all(wanted(turn.claim.id) for turn in turns)
        views = [seen(turn.claim.id, snap, looked_at) for turn, snap in zip(turns, snaps, strict=True)]
        plain = [(t, view) for t, view in zip(turns, views, strict=True) if view and _plainly_over(t, view)]
        changes = [_noting(turn, view) for turn, view in plain]
        written = self.ledger.commit_all(changes) if changes else ()
        noted = [
            Noted(turn=turn, view=_as_written(view, change, receipt))
            for (turn, view), change, receipt in zip(plain, changes, written, strict=True)
            if isinstance(receipt, Receipt)
        ]
        done = {each.turn.claim.member for each in noted}
        return noted, [turn for turn in turns if turn.claim.member not in done]

    def _write(self, taken: Sequence[tuple[Noted, Presence]]) -> None:
        if not taken:
            return
        now = self.ledger.read().now
        written = self.ledger.commit_all([each.gone(left, now) for each, left in taken])
        for (each, left), receipt in zip(taken, written, strict=True):
            if not isinstance(receipt, Receipt):
                self.convergence(each.turn).write_taken(each.view.record, left)

    def _hand_back(self, noted: Sequence[Noted]) -> None:
        """A claim that has run out meanwhile is somebody else's already."""
        closing = [
            Change(done=Done(claim=each.turn.claim, next_at=each.view.now), frees=True) for each in noted
        ]
        with suppress(TemporaryFailure):  # then their claims run out
            self.ledger.commit_all(closing)


def _next(waiting: deque[Noted]) -> Noted | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _all(waiting: deque[Noted]) -> list[Noted]:
    found = []
    while (each := _next(waiting)) is not None:
        found.append(each)
    return found


def _plainly_over(turn: Turn, view: View) -> bool:
    record = view.record
    unusual = turn.claim.taken_over or record.look_again or record.untouchable
    if unusual or record.failures or record.phase is Phase.EMPTY:
        return False
    left = view.over or view.ending
    return bool(left) and not view.snap.leases and not any(grant.seated for grant in view.snap.all(Grant))


def _noting(turn: Turn, view: View) -> Change:
    ending = outcomes.ended_over(view) if view.over else Change()
    noting = joined(ending, outcomes.taking(view))
    both = replace(noting, rests_on=(view.snap,), members=_behind(view))
    return outcomes.done_here(both, turn.claim)


def _behind(view: View) -> dict[str, tuple[str, ...]]:
    """The index of the hold, as it was read."""
    grants = tuple(key.id for key in view.snap.versions if key.kind == "grant")
    return {f"hold:{view.key}": grants}


def _as_written(view: View, change: Change, receipt: Receipt) -> View:
    documents = {**view.snap.documents, **{key: each for key, each in change.put.items() if each}}
    versions = {**view.snap.versions, **dict.fromkeys(change.put, receipt.version)}
    snap = replace(view.snap, now=receipt.now, documents=documents, versions=versions)
    found = seen(view.key, snap, view.looked_at)
    return found or view
