"""Showing one message at several places: who cannot be told just now keeps nobody else waiting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports import Claim, Done, Place

REFUSED_AGAIN = timedelta(minutes=10)
REFUSED_TRIES = 6


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
