"""Shows one message at several places: a place that cannot be reached now keeps no other waiting.

Claims fence the record, not Slack: a worker that slept may show what is outdated by now, over what another
one showed meanwhile. Therefore nothing is shown once the claim has run out; a worker that finds its claim
lost makes the message due once more; and a worker that takes over a claim which nobody closed shows
everything again after a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.document import Document
from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.grants import LIVE, State
from bot.core.reasons import Reason, Why
from bot.ports.changes import Change, Claim, Done, Due
from bot.ports.documents import Alert, Card, GivenUp, Key, Place
from bot.ports.ledger import CLAIM_SECONDS, Ledger
from bot.usecases.retry import retry_conflicts

REFUSED_AGAIN = timedelta(minutes=10)
REFUSED_TRIES = 6
SHOW_AGAIN_AFTER = timedelta(seconds=2 * CLAIM_SECONDS)
LOST, GIVEN_UP = "lost", "given up"
"""Values of ``shown`` for a place that refused the message. It is tried again for an hour, then given up."""

Refusal = tuple[Place, PermanentFailure]
_SAY_ENDED = frozenset(
    {Why.OVERDUE_GONE, Why.OVERDUE_KEPT, Why.ENDED_AGAIN, Why.STRAY_TAKEN, Why.LEFT_BY_OTHERS, Why.BAN_SET}
)
COPIED_BY_THEN = timedelta(seconds=5)
"""The pause after which a message is updated if it said that replicas do not have the end yet."""


class Posting(Protocol):
    """One message: how it is shown, and what is written down about that."""

    def show(self, place: Place) -> Place:
        """Show the message at this place. Raises TemporaryFailure or PermanentFailure."""
        ...

    def record_shown(self, place: Place, posted: Place) -> None:
        """Record that the message is there, before the next one is posted."""
        ...

    def record_lost(self, place: Place, failure: PermanentFailure) -> list[Place]:
        """Record that the place refused the message, and return the places to use instead."""
        ...

    def give_up(self, place: Place) -> None:
        """Record that this is not tried there again."""
        ...


def says_ended(reason: Reason) -> bool:
    """Return whether a note or an alert with this reason says that a grant has ended, or is ending."""
    if reason.why is Why.CONFIRMED and "state" in reason.facts:
        return reason.facts["state"] not in (State.ASKED, *LIVE)
    return reason.why in _SAY_ENDED


def post(posting: Posting, places: Iterable[Place]) -> list[Refusal]:
    """Show the message at all these places, and return those that refused it and why. If it could not be
    shown somewhere now, raise TemporaryFailure after trying all the others."""
    left = list(places)
    failed: TemporaryFailure | None = None
    refused: list[Refusal] = []
    while left:
        place = left.pop(0)
        try:
            posted = posting.show(place)
        except TemporaryFailure as failure:
            failed = failed or failure
        except PermanentFailure as failure:
            refused.append((place, failure))
            left += posting.record_lost(place, failure)
        else:
            posting.record_shown(place, posted)
    if failed:
        raise failed
    return refused


def same(one: Place, other: Place) -> bool:
    return (one.channel, one.ts, one.audience) == (other.channel, other.ts, other.audience)


def places_after(
    stored: Iterable[Place], old: Place, new: Iterable[Place], now: datetime
) -> tuple[Place, ...]:
    """Return the stored places with ``new`` in the place of ``old``. A doubt that somebody else recorded
    there meanwhile stays until it is over."""
    every = tuple(stored)
    doubts = [each.doubted_until for each in every if same(each, old) and each.doubted_until]
    doubt = max((each for each in doubts if each > now), default=None)
    kept = [each for each in every if not same(each, old)]
    return (*kept, *(replace(each, doubted_until=each.doubted_until or doubt) for each in new))


def again(claim: Claim, now: datetime) -> Done:
    """Return how the claim ends after a refusal: it is due again for an hour, because somebody may correct
    the setting that caused the refusal."""
    return Done(
        claim=claim, next_at=now + REFUSED_AGAIN if claim.tries < REFUSED_TRIES else None, failed=True
    )


def refusing(place: Place) -> Place:
    """Return the place after it has refused a message. A place that was given up stays given up."""
    return replace(place, shown=GIVEN_UP if place.shown == GIVEN_UP else LOST)


def give_up(ledger: Ledger, posting: Posting, refused: Iterable[Refusal]) -> None:
    """Record that what these places refused is not tried again. Each message is counted once."""
    for place, failure in refused:
        if place.shown != GIVEN_UP:
            count_given_up(ledger, place.channel, failure)
        posting.give_up(place)


def count_given_up(ledger: Ledger, to: str, failure: PermanentFailure) -> None:
    """Count one more message to this destination as given up."""

    def attempt() -> None:
        key = Key.of(GivenUp)
        snap = ledger.read({key})
        before = snap.find(GivenUp)
        count = before.count + 1 if before else 1
        now = GivenUp(count=count, at=snap.now, to=to, error=str(failure)[:300])
        ledger.commit(Change(rests_on=(snap,), put={key: now}, frees=True))

    retry_conflicts(attempt)


def places_in_doubt(places: Iterable[Place], claim: Claim, now: datetime) -> tuple[Place, ...]:
    """Return the places, in doubt if the claim was taken over: its earlier owner, who did not close it, may
    still show something there."""
    if not claim.taken_over:
        return tuple(places)
    return _in_doubt(places, now)


def _in_doubt(places: Iterable[Place], now: datetime) -> tuple[Place, ...]:
    return tuple(replace(place, doubted_until=now + SHOW_AGAIN_AFTER) for place in places)


def owes(place: Place, shown: str, now: datetime) -> bool:
    """Return whether something else is shown there, or may be by now."""
    in_doubt = place.ts is not None and place.doubted_until is not None and place.doubted_until <= now
    return in_doubt or place.shown != shown


def place_after(place: Place, posted: Place, shown: str, now: datetime) -> Place:
    """Return the place after this was shown there."""
    doubt = place.doubted_until
    return replace(posted, shown=shown, doubted_until=doubt if doubt and doubt > now else None)


def doubt_ends(places: Iterable[Place], now: datetime) -> datetime | None:
    """Return when everything has to be shown once more, or None."""
    ends = [place.doubted_until for place in places if place.doubted_until]
    return max((end for end in ends if end > now), default=None)


@contextmanager
def once_more_if_lost(ledger: Ledger, claim: Claim, key: Key | None = None) -> Iterator[None]:
    """If the claim is lost, owe one more showing of the message: what we have shown may be older than what
    somebody else showed before and recorded in the document of ``key``."""

    def attempt() -> None:
        snap = ledger.read({key} if key else ())
        found = snap.documents.get(key) if key else None
        put: dict[Key, Document | None] = {}
        if key and isinstance(found, Card | Alert):
            put[key] = replace(found, places=_in_doubt(found.places, snap.now))
        due = (Due(member=claim.member, at=snap.now),)
        ledger.commit(Change(rests_on=(snap,), put=put, due=due, frees=True))

    try:
        yield
    except Conflict:
        retry_conflicts(attempt)
        raise
