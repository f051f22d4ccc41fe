"""One claimed job: what may still be waited for, and until when nobody else does it."""

from __future__ import annotations

import time
from math import inf

from bot.core.errors import Conflict
from bot.ports.changes import Claim
from bot.ports.deadline import Deadline
from bot.ports.ledger import CLAIM_SECONDS

JOB_SECONDS = 20.0
CALL_SECONDS = 10.0
MARGIN = 0.5
"""Our clock and Redis's do not run at exactly the same speed, and sending takes time."""
NEARLY_ALL = 0.9
"""The part of a call's time after which it counts as late: some calls give up a little before their deadline,
to say why."""


class Job:
    """A claim with its deadlines. ``fence`` is the moment until which the claim is surely still ours; the
    worker moves it on with each renewal. ``deadline`` is when the worker stops renewing."""

    def __init__(self, claim: Claim, claimed_at: Deadline, seconds: float = JOB_SECONDS) -> None:
        self.claim = claim
        self.deadline = Deadline(claimed_at.at + seconds)
        self.fence = Deadline(claimed_at.at + CLAIM_SECONDS - MARGIN)
        self._call: tuple[float, Deadline] | None = None
        self._was_late = False

    @property
    def has_called(self) -> bool:
        """Return whether anything outside was called."""
        return self._call is not None

    @property
    def late(self) -> bool:
        """Return whether a call used nearly all the time it had, or is about to."""
        if self._was_late or self._call is None:
            return self._was_late
        began, until = self._call
        return time.monotonic() - began >= NEARLY_ALL * (until.at - began)

    def note_renewal(self, asked_at: Deadline) -> None:
        """Note that the claim was renewed by a request that was sent at ``asked_at``."""
        self.fence = Deadline(asked_at.at + CLAIM_SECONDS - MARGIN)

    def call(self) -> Deadline:
        """Return the deadline of one call to the outside that somebody else may repeat without harm."""
        self._was_late = self.late
        until = self.deadline.sooner(Deadline.after(CALL_SECONDS))
        self._call = (time.monotonic(), until)
        return until

    def note_answer(self) -> None:
        """Note that the last call has returned, so that what follows does not count as waiting for it."""
        self._was_late = self.late
        self._call = (time.monotonic(), Deadline(inf)) if self._call else None

    def fenced_call(self) -> Deadline:
        """Return the deadline of one call that must not come after somebody else's. Raises Conflict if
        somebody else may have the claim by now."""
        if self.fence.is_over:
            raise Conflict("the claim may have passed to another worker")
        return self.call()
