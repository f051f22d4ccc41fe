"""One claimed thing being done: what may still be waited for, and until when nobody else does it."""

from __future__ import annotations

from bot.core.errors import Conflict
from bot.ports import CLAIM_SECONDS, Claim, Deadline

TURN_SECONDS = 20.0
CALL_SECONDS = 10.0
MARGIN = 0.5
"""Our clock and Redis's do not run at exactly the same speed, and sending takes time."""


class Turn:
    """``fence`` is the moment until which the claim is surely still ours; the worker moves it on with
    each renewal. ``deadline`` is when the worker stops renewing."""

    def __init__(self, claim: Claim, claimed_at: Deadline, seconds: float = TURN_SECONDS) -> None:
        self.claim = claim
        self.deadline = Deadline(claimed_at.at + seconds)
        self.fence = Deadline(claimed_at.at + CLAIM_SECONDS - MARGIN)

    def renewed(self, asked_at: Deadline) -> None:
        """The claim was renewed by a request that was sent at ``asked_at``."""
        self.fence = Deadline(asked_at.at + CLAIM_SECONDS - MARGIN)

    def call(self) -> Deadline:
        """For one call to the outside that may be repeated by somebody else without harm."""
        return self.deadline.sooner(Deadline.after(CALL_SECONDS))

    def fenced_call(self) -> Deadline:
        """For one call that must not come after somebody else's. Raises Conflict where somebody else may
        have the claim by now."""
        if self.fence.passed:
            raise Conflict("the claim may be somebody else's by now")
        return self.call()
