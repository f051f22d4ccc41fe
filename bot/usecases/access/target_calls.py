"""Calls to a target on behalf of a job: within its deadlines, and with its failures distinguished from those
of Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from bot.core.errors import NotConfirmed, PermanentFailure, TemporaryFailure
from bot.core.holds import Presence, Receipt, Seen
from bot.ports.deadline import Deadline
from bot.ports.target import Target
from bot.usecases.access.views import View
from bot.usecases.job import Job

FOREVER = timedelta(days=36_500)


class TargetFailed(Exception):
    """A target that did not do what it was asked, or must not be asked now. Redis being away is something
    else, and is not shown on a card. ``seen`` is what the target showed all the same, if it was looked at
    with the receipts ``asked``."""

    def __init__(
        self,
        failure: TemporaryFailure | PermanentFailure,
        seen: Seen | None = None,
        asked: tuple[Receipt, ...] = (),
    ) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.seen = seen
        self.asked = asked


class TargetCalls:
    """One target, within one job. Every method raises TargetFailed."""

    def __init__(self, find: Callable[[str], Target], name: str, job: Job) -> None:
        self.job = job
        with calling():
            self.target = find(name)

    @property
    def knows_end(self) -> bool:
        return self.target.abilities.knows_end

    def look(self, view: View) -> Seen:
        """Return what the target shows. If it cannot tell, or another system answers, that is a failure."""
        seen = self._has(view)
        if seen.presence is Presence.ELSEWHERE:
            raise _failure_of(view, seen, PermanentFailure(_why(view, seen, "another system answers")))
        if seen.presence is Presence.UNKNOWN:
            raise _failure_of(view, seen, TemporaryFailure(_why(view, seen, "it does not say what is there")))
        return seen

    def prepare(self, view: View) -> Receipt:
        """Return what will identify the grant. Nothing usable is made by it."""
        with calling():
            return self.target.prepare(view.hold, self._not_after(view))

    def grant(self, view: View) -> Seen:
        """Grant what was prepared, and return what the target shows then: usable access."""
        with calling():
            receipt = self.target.grant(view.hold, view.record.receipts, view.until, self._not_after(view))
        seen = self.look(view.with_receipts((*view.record.receipts[:-1], receipt)))
        if seen.presence in (Presence.NONE, Presence.USELESS):
            raise _failure_of(
                view, seen, TemporaryFailure(f"{view.hold.target} did not show the access after granting it")
            )
        return seen

    def revoke(self, view: View) -> Seen:
        """Revoke, and return what the target shows then: nothing of ours."""
        try:
            with calling():
                self.target.revoke(view.hold, view.record.receipts, self.job.call())
        except TargetFailed as raised:
            if isinstance(raised.failure, PermanentFailure):
                with suppress(TargetFailed):  # it answers: what it shows tells what is left
                    raised.seen, raised.asked = self._has(view), view.record.receipts
            raise
        seen = self.look(view)
        if seen.gone:
            return seen
        if seen.presence in (Presence.OURS, Presence.USELESS):
            left = "the access is still there after revoking it"
        elif seen.sessions:
            sessions = f"{seen.sessions} open sessions" if seen.sessions > 1 else "an open session"
            left = f"revoked, but {sessions} may still use it"
        elif not seen.confirmed:
            why = _why(view, seen, "revoked; a standby has not confirmed it yet")
            raise _failure_of(view, seen, NotConfirmed(why))
        else:
            left = "revoked, but some of it may still be there"
        raise _failure_of(view, seen, TemporaryFailure(_why(view, seen, left)))

    def _has(self, view: View) -> Seen:
        with calling():
            return self.target.has(view.hold, view.record.receipts, self.job.call())

    def _not_after(self, view: View) -> Deadline:
        """Return the end of the lease or of our claim, whichever is sooner, on our own clock."""
        left = (view.until - view.now if view.until else FOREVER).total_seconds()
        return self.job.fence.sooner(Deadline(view.looked_at.at + left))


def _failure_of(view: View, seen: Seen, failure: TemporaryFailure | PermanentFailure) -> TargetFailed:
    return TargetFailed(failure, seen, view.record.receipts)


def _why(view: View, seen: Seen, otherwise: str) -> str:
    return seen.why or f"{view.hold.target}: {otherwise}"


@contextmanager
def calling() -> Iterator[None]:
    """Turn what a target raises into TargetFailed."""
    try:
        yield
    except (TemporaryFailure, PermanentFailure) as failure:
        raise TargetFailed(failure) from failure
