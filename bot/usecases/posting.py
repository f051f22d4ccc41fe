"""Showing one message at several places: who cannot be told just now keeps nobody else waiting.

Claims fence the record, not Slack: a worker that slept may show what is old by now, over what another one
showed meanwhile. Therefore nothing is shown once the claim has run out; who finds the claim lost has it
looked at once more; and who took a claim over that nobody closed shows everything again after a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.ports import CLAIM_SECONDS, Change, Claim, Done, Due, Ledger, Place

REFUSED_AGAIN = timedelta(minutes=10)
REFUSED_TRIES = 6
SHOW_AGAIN_AFTER = timedelta(seconds=2 * CLAIM_SECONDS)


class Posting(Protocol):
    """One message: how it is shown, and what is written down about that."""

    def show(self, place: Place) -> Place:
        """Raises TemporaryFailure or PermanentFailure."""
        ...

    def shown(self, place: Place, posted: Place) -> None:
        """It is there now; to be recorded before the next is posted."""
        ...

    def lost(self, place: Place, failure: PermanentFailure) -> list[Place]:
        """It will never be there; where it goes instead."""
        ...


def post(posting: Posting, places: Iterable[Place]) -> bool:
    """Whether any place refused it. Raises TemporaryFailure where one could not be shown now, after all
    others have been."""
    left = list(places)
    failed: TemporaryFailure | None = None
    refused = False
    while left:
        place = left.pop(0)
        try:
            posted = posting.show(place)
        except TemporaryFailure as failure:
            failed = failed or failure
        except PermanentFailure as failure:
            refused = True
            left += posting.lost(place, failure)
        else:
            posting.shown(place, posted)
    if failed:
        raise failed
    return refused


def same(one: Place, other: Place) -> bool:
    return (one.channel, one.ts, one.audience) == (other.channel, other.ts, other.audience)


def again(claim: Claim, now: datetime) -> Done:
    """What was refused may have been so for a setting that somebody puts right: an hour long."""
    return Done(
        claim=claim, next_at=now + REFUSED_AGAIN if claim.tries < REFUSED_TRIES else None, failed=True
    )


def shown_for_good(claim: Claim, digest: str) -> str | None:
    """What is noted of a message that was shown; nothing where somebody may still show an older one."""
    return None if claim.taken_over else digest


def done_with(claim: Claim, now: datetime, next_at: datetime | None = None) -> Done:
    """Once more after a while, where somebody may still show something older."""
    return Done(claim=claim, next_at=now + SHOW_AGAIN_AFTER if claim.taken_over else next_at)


def close(ledger: Ledger, change: Change) -> None:
    """Close the claim of ``change``. Where that is lost, what was shown may be older than what whoever has
    it had shown before."""
    try:
        ledger.commit(change)
    except Conflict:
        if change.done:
            again_now = Due(member=change.done.claim.member, at=ledger.read(()).now)
            ledger.commit(Change(due=(again_now,), frees=True))
