"""Asking a target on behalf of a turn: by its deadlines, its failures told apart from those of Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Presence
from bot.ports import Deadline, Target
from bot.usecases.turn import Turn
from bot.usecases.views import View

FOREVER = timedelta(days=36_500)


class TargetFailed(Exception):
    """A target did not do what it was asked, or must not be asked now. Redis being away is something else,
    and not told on a card."""

    def __init__(self, failure: TemporaryFailure | PermanentFailure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Reach:
    """One target, within one turn. Every method raises TargetFailed."""

    def __init__(self, find: Callable[[str], Target], name: str, turn: Turn) -> None:
        self.turn = turn
        with _calling():
            self.target = find(name)

    @property
    def keeps_end(self) -> bool:
        return self.target.abilities.keeps_end

    def has(self, view: View) -> Presence:
        with _calling():
            return self.target.has(view.hold, self.turn.call())

    def give(self, view: View) -> Presence:
        """What the target shows after giving."""
        with _calling():
            self.target.give(view.hold, view.until, self._not_after(view))
        seen = self.has(view)
        if seen is Presence.NONE:
            raise TargetFailed(TemporaryFailure(f"{view.hold.target} did not show it after giving"))
        return seen

    def take(self, view: View) -> Presence:
        """What the target shows after taking: nothing of ours."""
        with _calling():
            self.target.take(view.hold, self.turn.call())
        seen = self.has(view)
        if seen in (Presence.OURS, Presence.UNKNOWN):
            raise TargetFailed(TemporaryFailure(f"{view.hold.target} still shows it after taking it back"))
        return seen

    def _not_after(self, view: View) -> Deadline:
        """The end of the lease or of our claim, whichever is sooner, on our own clock."""
        left = (view.until - view.now if view.until else FOREVER).total_seconds()
        return self.turn.fence.sooner(Deadline(view.looked_at.at + left))


@contextmanager
def _calling() -> Iterator[None]:
    try:
        yield
    except (TemporaryFailure, PermanentFailure) as failure:
        raise TargetFailed(failure) from failure
